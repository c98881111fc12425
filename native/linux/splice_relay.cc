#include "linux/splice_relay.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include "os_calls.h"
#include "syscall_counts.h"

namespace tripoll {

int RunRelay(const Relay& relay, RelayState* state) {
  *state = {};
  const size_t most = std::min<size_t>(relay.most_bytes, INT_MAX);
  int total = 0;
  while (static_cast<size_t>(total) < most) {
    const size_t wanted = most - static_cast<size_t>(total);
    const int taken = CountsOfThread().Read(os::Splice(relay.from, relay.pipe_write, wanted));
    if (taken <= 0) {
      state->drained = taken == -EAGAIN ? 1 : 0;
      return total > 0 ? total : taken;
    }
    total += taken;
    for (int left = taken; left > 0;) {
      const int moved = CountsOfThread().Written(
          os::Splice(relay.pipe_read, relay.to, static_cast<size_t>(left)));
      if (moved <= 0) {
        state->left = left;
        return total;
      }
      left -= moved;
    }
  }
  return total;
}

}  // namespace tripoll
