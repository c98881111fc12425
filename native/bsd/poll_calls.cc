#include "os_calls.h"
#include "unix/result.h"

namespace tripoll::os {

int Poll(pollfd* fds, size_t count, int timeout_ms) {
  return Result(poll(fds, static_cast<nfds_t>(count), timeout_ms), Syscall::kPoll);
}

// A socket with an error is ready to read and to write, and no more: sopoll_generic of FreeBSD,
// sodopoll of NetBSD. XNU's poll(2) is made of kevents, and turns the EV_EOF of either filter into
// POLLHUP (bsd/kern/sys_generic.c, poll_callback).
PollFacts FactsOfPoll() {
#ifdef __APPLE__
  return {false, false};
#else
  return {false, true};
#endif
}

}  // namespace tripoll::os
