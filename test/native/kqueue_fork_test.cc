// Only where there is a real kqueue: the shim's is an epoll fd, which a child inherits.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "bsd/kqueue_calls.h"
#include "check.h"
#include "os_calls.h"

TEST(T24_a_kqueue_is_not_inherited_by_fork) {
  const int kqueue_fd = tripoll::os::Kqueue();
  CHECK(kqueue_fd >= 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    struct kevent event {};
    const int result = tripoll::os::Kevent(kqueue_fd, nullptr, 0, &event, 1, 0);
    _exit(result == -EBADF ? 0 : 1);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(tripoll::os::Close(kqueue_fd), 0);
}

RUN_TESTS()
