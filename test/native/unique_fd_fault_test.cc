// An fd with one owner: closed once, on every path, and never a second time (T42).
#include "unique_fd.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "check.h"
#include "faulty_os_calls.h"

using tripoll::UniqueFd;

namespace {

int OpenOne() {
  int fds[2] = {-1, -1};
  CHECK_EQ(tripoll::os::Pipe2(fds, O_CLOEXEC), 0);
  CHECK_EQ(tripoll::os::Close(fds[1]), 0);
  fault::Reset();
  return fds[0];
}

}  // namespace

TEST(the_end_of_its_owner_closes_it_once) {
  { const UniqueFd owned(OpenOne()); }
  CHECK_EQ(fault::Calls("Close"), 1);
}

TEST(what_was_released_or_never_opened_is_not_closed) {
  const int fd = OpenOne();
  {
    UniqueFd owned(fd);
    CHECK_EQ(owned.get(), fd);
    CHECK_EQ(owned.Release(), fd);
    const UniqueFd none;
    const UniqueFd failed(-EMFILE);
    CHECK_EQ(failed.get(), -EMFILE);
  }
  CHECK_EQ(fault::Calls("Close"), 0);
  CHECK_EQ(tripoll::os::Close(fd), 0);
}

TEST(one_that_moves_is_closed_by_its_last_owner_and_what_that_had_at_once) {
  const int first = OpenOne();
  const int second = OpenOne();
  {
    UniqueFd from(first);
    UniqueFd to(second);
    to = std::move(from);
    CHECK_EQ(fault::Calls("Close"), 1);
    CHECK_EQ(to.get(), first);
    const UniqueFd last(std::move(to));
    CHECK_EQ(fault::Calls("Close"), 1);
  }
  CHECK_EQ(fault::Calls("Close"), 2);
}

TEST(T42_a_close_that_says_EINTR_is_not_repeated) {
  const int fd = OpenOne();
  {
    const UniqueFd owned(fd);
    fault::Inject("Close", EINTR, fault::kForEver);
  }
  CHECK_EQ(fault::Calls("Close"), 1);
  fault::Reset();
  static_cast<void>(tripoll::os::Close(fd));
}

RUN_TESTS()
