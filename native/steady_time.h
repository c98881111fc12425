#ifndef TRIPOLL_STEADY_TIME_H_
#define TRIPOLL_STEADY_TIME_H_

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>

namespace tripoll {

// Times of waits, on the steady clock; -1 is for ever.
inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline int64_t AddSaturating(int64_t a, int64_t b) { return a > INT64_MAX - b ? INT64_MAX : a + b; }

inline int64_t RemainingNs(int64_t until_ns) {
  return until_ns < 0 ? -1 : std::max<int64_t>(0, until_ns - NowNs());
}

inline int64_t Earlier(int64_t a_ns, int64_t b_ns) {
  if (a_ns < 0) return b_ns;
  return b_ns < 0 ? a_ns : std::min(a_ns, b_ns);
}

// The point in time that lies timeout_ns ahead.
inline int64_t UntilNs(int64_t timeout_ns) {
  return timeout_ns < 0 ? -1 : AddSaturating(NowNs(), timeout_ns);
}

constexpr int64_t kNsPerMs = 1'000'000;

// Rounded up, so that a wait of half a millisecond does not become a busy loop (T14); -1 stays.
inline int ToTimeoutMs(int64_t timeout_ns) {
  if (timeout_ns < 0) return -1;
  const int64_t ms = timeout_ns / kNsPerMs + (timeout_ns % kNsPerMs != 0 ? 1 : 0);
  return ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
}

}  // namespace tripoll

#endif  // TRIPOLL_STEADY_TIME_H_
