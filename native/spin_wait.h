// Busy polling: a wait that looks for a while without sleeping, since to be woken costs more time
// than a look.
#ifndef TRIPOLL_SPIN_WAIT_H_
#define TRIPOLL_SPIN_WAIT_H_

#include <algorithm>
#include <cstdint>

#include "poller.h"
#include "steady_time.h"

namespace tripoll {

// Of one poller: how long each wait looks before it sleeps, and what came of it so far.
struct Spin {
  int64_t ns = 0;
  uint64_t looks = 0;   // that found nothing
  uint64_t sleeps = 0;  // waits that had to sleep all the same
};

// As Poller::Wait, within the same timeout. Whatever ends a sleep ends the looking: an event, a
// wake, a deadline, the host's fd. So nothing is later than it would be without (T121).
inline WaitResult WaitSpinning(Poller* poller, Spin* spin, int64_t timeout_ns, EventRecord* out) {
  if (spin->ns <= 0 || timeout_ns == 0) return poller->Wait(timeout_ns, out);
  const int64_t until_ns = UntilNs(timeout_ns);
  const int64_t look_until_ns = UntilNs(timeout_ns < 0 ? spin->ns : std::min(spin->ns, timeout_ns));
  do {
    const WaitResult result = poller->Wait(0, out);
    if (result.count != 0 || result.woken || result.host_ready) return result;
    spin->looks++;
  } while (NowNs() < look_until_ns);
  const int64_t left_ns = RemainingNs(until_ns);
  if (left_ns != 0) spin->sleeps++;
  return poller->Wait(left_ns, out);
}

}  // namespace tripoll

#endif  // TRIPOLL_SPIN_WAIT_H_
