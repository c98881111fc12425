#include "os_calls.h"
#include "unix/result.h"

namespace tripoll::os {

int Poll(pollfd* fds, size_t count, int timeout_ms) {
  return Result(poll(fds, static_cast<nfds_t>(count), timeout_ms), Syscall::kPoll);
}

PollFacts FactsOfPoll() { return {true, true}; }

}  // namespace tripoll::os
