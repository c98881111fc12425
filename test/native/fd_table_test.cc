// Values by fd, and which token registered one last (T02, T05).
#include "fd_table.h"

#include "check.h"

using tripoll::FdOwner;
using tripoll::FdTable;

TEST(nobody_owns_what_was_never_set) {
  FdTable<FdOwner> table;
  for (const int fd : {0, -1, -1000, 1 << 30}) {
    CHECK(!table.Get(fd).Is(0, 0));
    CHECK(table.Find(fd) == nullptr);
    table.Clear(fd);
  }
  CHECK_EQ(table.end(), 0);
}

TEST(T05_the_newest_token_owns_the_number_and_an_older_one_does_not) {
  FdTable<FdOwner> table;
  table.Set(5, {1, 1, true});
  CHECK(table.Get(5).Is(1, 1));
  CHECK(!table.Get(5).Is(1, 2));
  CHECK(!table.Get(5).Is(2, 1));
  CHECK(!table.Get(4).Is(1, 1));
  table.Set(5, {1, 2, true});
  CHECK(!table.Get(5).Is(1, 1));
  CHECK(table.Get(5).Is(1, 2));
}

TEST(a_cleared_number_is_nobodys_also_not_of_the_token_that_is_all_zero) {
  FdTable<FdOwner> table;
  table.Set(3, {0, 0, true});
  CHECK(table.Get(3).Is(0, 0));
  CHECK(!table.Get(2).Is(0, 0));
  table.Clear(3);
  CHECK(!table.Get(3).Is(0, 0));
}

TEST(it_grows_and_keeps_what_it_has) {
  FdTable<int> table(-1);
  for (int fd = 0; fd < 5000; fd += 7) table.Set(fd, fd);
  for (int fd = 0; fd < 5000; ++fd) CHECK_EQ(table.Get(fd), fd % 7 == 0 ? fd : -1);
  // All that has a value is below the end, and what is empty beside it can be found and is so.
  CHECK(table.end() > 4998);
  CHECK_EQ(*table.Find(4997), -1);
  CHECK_EQ(table.Get(table.end()), -1);
}

TEST(a_table_of_bits_has_them_too) {
  FdTable<bool> table;
  table.Set(70, true);
  CHECK(table.Get(70));
  CHECK(!table.Get(69));
  table.Clear(70);
  CHECK(!table.Get(70));
}

RUN_TESTS()
