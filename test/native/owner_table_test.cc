// Which token registered an fd number last (T02, T05).
#include "unix/owner_table.h"

#include "check.h"

TEST(nobody_owns_what_was_never_set) {
  const tripoll::OwnerTable table;
  CHECK(!table.Owns(0, 0, 0));
  CHECK(!table.Owns(-1, 0, 0));
  CHECK(!table.Owns(1 << 30, 0, 0));
}

TEST(T05_the_newest_token_owns_the_number_and_an_older_one_does_not) {
  tripoll::OwnerTable table;
  table.Set(5, 1, 1);
  CHECK(table.Owns(5, 1, 1));
  CHECK(!table.Owns(5, 1, 2));
  CHECK(!table.Owns(5, 2, 1));
  CHECK(!table.Owns(4, 1, 1));
  table.Set(5, 1, 2);
  CHECK(!table.Owns(5, 1, 1));
  CHECK(table.Owns(5, 1, 2));
}

TEST(a_cleared_number_is_nobodys_also_not_of_the_token_that_is_all_zero) {
  tripoll::OwnerTable table;
  table.Set(3, 0, 0);
  CHECK(table.Owns(3, 0, 0));
  CHECK(!table.Owns(2, 0, 0));
  table.Clear(3);
  CHECK(!table.Owns(3, 0, 0));
}

TEST(it_grows_and_keeps_what_it_has) {
  tripoll::OwnerTable table;
  for (int fd = 0; fd < 5000; fd += 7) table.Set(fd, static_cast<uint32_t>(fd), 9);
  for (int fd = 0; fd < 5000; ++fd) {
    CHECK_EQ(table.Owns(fd, static_cast<uint32_t>(fd), 9), fd % 7 == 0);
  }
}

RUN_TESTS()
