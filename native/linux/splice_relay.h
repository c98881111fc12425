#ifndef TRIPOLL_LINUX_SPLICE_RELAY_H_
#define TRIPOLL_LINUX_SPLICE_RELAY_H_

#include <cstddef>
#include <cstdint>

namespace tripoll {

struct Relay {
  int from;
  int pipe_write;
  int pipe_read;
  int to;
  size_t most_bytes;
};

// What JavaScript reads after a relay, as two int32.
struct RelayState {
  int32_t left = 0;     // bytes that are in the pipe, because `to` did not take them
  int32_t drained = 0;  // 1: `from` has no more for now
};

// Moves what one socket has to another through a pipe, which is empty at the start; no byte passes
// through the process. Returns how many bytes it took from `from`; when those are none, 0 at its
// end, or -errno. What `to` says is left for the next write to it to meet.
int RunRelay(const Relay& relay, RelayState* state);

}  // namespace tripoll

#endif  // TRIPOLL_LINUX_SPLICE_RELAY_H_
