#ifndef TRIPOLL_UNIX_READINESS_H_
#define TRIPOLL_UNIX_READINESS_H_

#include <climits>
#include <cstdint>

#include "poller.h"

namespace tripoll {

// What epoll and poll(2) both say of an fd, in their own bits.
struct PollStates {
  bool in;
  bool out;
  bool priority;
  bool peer_ended;  // RDHUP
  bool hung_up;
  bool failed;
};

// T11: which of the half-closed states an event means is mio's finding, see its issue 939.
inline uint32_t ToReadiness(const PollStates& s) {
  uint32_t readiness = 0;
  if (s.in || s.hung_up || s.failed) readiness |= kReadable;
  if (s.out || s.hung_up || s.failed) readiness |= kWritable;
  if (s.priority) readiness |= kPriority;
  if (s.hung_up || (s.in && s.peer_ended)) readiness |= kReadClosed;
  const bool failed_alone =
      s.failed && !s.in && !s.out && !s.priority && !s.peer_ended && !s.hung_up;
  if (s.hung_up || (s.out && s.failed) || failed_alone) readiness |= kWriteClosed;
  if (s.failed) readiness |= kError;
  return readiness;
}

constexpr int64_t kNsPerMs = 1'000'000;

// Rounded up, so that a wait of half a millisecond does not become a busy loop (T14); -1 stays.
inline int ToTimeoutMs(int64_t timeout_ns) {
  if (timeout_ns < 0) return -1;
  const int64_t ms = timeout_ns / kNsPerMs + (timeout_ns % kNsPerMs != 0 ? 1 : 0);
  return ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
}

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_READINESS_H_
