#include "bsd/kqueue_calls.h"

#include <fcntl.h>

#include <cerrno>
#include <ctime>
#include <type_traits>

#include "os_calls.h"

namespace tripoll::os {

namespace {

// int everywhere but on NetBSD, where it is size_t.
template <typename R, typename Count>
int Call(R (*function)(int, const struct kevent*, Count, struct kevent*, Count, const timespec*),
         int kqueue_fd, const struct kevent* changes, int change_count, struct kevent* events,
         int event_count, const timespec* timeout) {
  const R count = function(kqueue_fd, changes, static_cast<Count>(change_count), events,
                           static_cast<Count>(event_count), timeout);
  return count < 0 ? -errno : static_cast<int>(count);
}

}  // namespace

int Kqueue() {
  const int fd = kqueue();
  if (fd < 0) return -errno;
  // A child of fork does not inherit it (T24), but a program that exec replaces this one with
  // would. The flag at birth (kqueue1, kqueuex) has another name on each system, and macOS has
  // none.
  const int error = Fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (error >= 0) return fd;
  static_cast<void>(Close(fd));
  return error;
}

int Kevent(int kqueue_fd, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, int64_t timeout_ns) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(timeout_ns / kNsPerSecond);
  timeout.tv_nsec = static_cast<long>(timeout_ns % kNsPerSecond);
  return Call(kevent, kqueue_fd, changes, change_count, events, event_count,
              timeout_ns < 0 ? nullptr : &timeout);
}

}  // namespace tripoll::os
