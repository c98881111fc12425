#ifndef TRIPOLL_UNIX_READINESS_H_
#define TRIPOLL_UNIX_READINESS_H_

#include <cstdint>

#include "poller.h"
#include "steady_time.h"  // IWYU pragma: export

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

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_READINESS_H_
