// Points in time on the steady clock, in ns, where -1 means never: for pollers that keep their
// deadline themselves.
#ifndef TRIPOLL_UNIX_STEADY_CLOCK_H_
#define TRIPOLL_UNIX_STEADY_CLOCK_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace tripoll {

inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline int64_t AddSaturating(int64_t a, int64_t b) { return a > INT64_MAX - b ? INT64_MAX : a + b; }

// The point in time that lies timeout_ns ahead.
inline int64_t UntilNs(int64_t timeout_ns) {
  return timeout_ns < 0 ? -1 : AddSaturating(NowNs(), timeout_ns);
}

inline int64_t RemainingNs(int64_t until_ns) {
  return until_ns < 0 ? -1 : std::max<int64_t>(0, until_ns - NowNs());
}

inline int64_t Earlier(int64_t a_ns, int64_t b_ns) {
  if (a_ns < 0) return b_ns;
  return b_ns < 0 ? a_ns : std::min(a_ns, b_ns);
}

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_STEADY_CLOCK_H_
