#include "bsd/kqueue_calls.h"

#include <fcntl.h>

#include <cerrno>
#include <type_traits>

#include "os_calls.h"
#include "syscall_counts.h"
#include "unique_fd.h"
#include "unix/timespec.h"

namespace tripoll::os {

namespace {

// int everywhere but on NetBSD, where it is size_t.
template <typename R, typename Count>
int Call(R (*function)(int, const struct kevent*, Count, struct kevent*, Count, const timespec*),
         int kqueue_fd, const struct kevent* changes, int change_count, struct kevent* events,
         int event_count, const timespec* timeout) {
  CountCall(Syscall::kKevent);
  const R count = function(kqueue_fd, changes, static_cast<Count>(change_count), events,
                           static_cast<Count>(event_count), timeout);
  return count < 0 ? -errno : static_cast<int>(count);
}

}  // namespace

int Kqueue() {
  UniqueFd owned(kqueue());
  if (owned.get() < 0) return -errno;
  // A child of fork does not inherit it (T24), but a program that exec replaces this one with
  // would. The flag at birth (kqueue1, kqueuex) has another name on each system, and macOS has
  // none.
  const int error = Fcntl(owned.get(), F_SETFD, FD_CLOEXEC);
  return error < 0 ? error : owned.Release();
}

int Kevent(int kqueue_fd, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, int64_t timeout_ns) {
  const timespec timeout = ToTimespec(timeout_ns);
  return Call(kevent, kqueue_fd, changes, change_count, events, event_count,
              timeout_ns < 0 ? nullptr : &timeout);
}

}  // namespace tripoll::os
