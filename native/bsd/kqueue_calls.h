// The door to kqueue, beside os_calls.h: apart, so that a system without it need not have it, and
// so that a test can put something else behind <sys/event.h>.
#ifndef TRIPOLL_BSD_KQUEUE_CALLS_H_
#define TRIPOLL_BSD_KQUEUE_CALLS_H_

#include <sys/types.h>
// After sys/types.h, which FreeBSD's header needs.
#include <sys/event.h>

#include <cstdint>

namespace tripoll::os {

// Opens a kqueue that is closed on exec.
int Kqueue();
// A timeout of -1 waits for ever. Returns n >= 0 or -errno.
int Kevent(int kqueue_fd, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, int64_t timeout_ns);

}  // namespace tripoll::os

#endif  // TRIPOLL_BSD_KQUEUE_CALLS_H_
