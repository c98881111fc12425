// What one environment has opened and not closed (T50), and close(2) that is interrupted (T42).
#include "owned_fds.h"

#include <fcntl.h>

#include <cerrno>

#include "check.h"
#include "faulty_os_calls.h"

namespace {

bool IsOpen(int fd) { return tripoll::os::Fcntl(fd, F_GETFD, 0) >= 0; }

}  // namespace

TEST(T50_the_end_closes_what_is_left_and_nothing_else) {
  fault::Reset();
  int ours[2];
  int theirs[2];
  CHECK_EQ(tripoll::os::Pipe2(ours, 0), 0);
  CHECK_EQ(tripoll::os::Pipe2(theirs, 0), 0);
  {
    tripoll::OwnedFds owned;
    for (const int fd : {ours[0], ours[1], theirs[0]}) owned.Insert(fd);
    CHECK(owned.Remove(theirs[0]));
    CHECK(!owned.Remove(theirs[0]));
    CHECK(!owned.Remove(theirs[1]));
    CHECK(!owned.Remove(-1));
    CHECK(!owned.Remove(1 << 30));
  }
  for (const int fd : ours) CHECK(!IsOpen(fd));
  for (const int fd : theirs) CHECK(IsOpen(fd));
  CHECK_EQ(fault::Calls("Close"), 2);
  for (const int fd : theirs) CHECK_EQ(tripoll::os::Close(fd), 0);
}

TEST(closing_all_twice_closes_once) {
  fault::Reset();
  int fds[2];
  CHECK_EQ(tripoll::os::Pipe2(fds, 0), 0);
  tripoll::OwnedFds owned;
  owned.Insert(fds[0]);
  owned.Insert(fds[1]);
  owned.CloseAll();
  owned.CloseAll();
  CHECK_EQ(fault::Calls("Close"), 2);
}

TEST(T42_a_close_that_says_EINTR_is_not_repeated) {
  fault::Reset();
  int fds[2];
  CHECK_EQ(tripoll::os::Pipe2(fds, 0), 0);
  {
    tripoll::OwnedFds owned;
    owned.Insert(fds[0]);
    owned.Insert(fds[1]);
    fault::Inject("Close", EINTR, fault::kForEver);
  }
  CHECK_EQ(fault::Calls("Close"), 2);
  fault::Reset();
  for (const int fd : fds) CHECK_EQ(tripoll::os::Close(fd), 0);
}

RUN_TESTS()
