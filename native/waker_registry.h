#ifndef TRIPOLL_WAKER_REGISTRY_H_
#define TRIPOLL_WAKER_REGISTRY_H_

#include <cstdint>

#include "poller.h"

namespace tripoll {

// The one process-wide state: which pollers other threads may wake. Another thread holds an id,
// never an fd, and ids are never reused, so a late wake finds nothing instead of a stranger's fd
// (T56).
uint64_t RegisterWakeTarget(Poller* poller);

// After it returns no thread is inside the poller's Wake on this id's behalf.
void UnregisterWakeTarget(uint64_t id);

// Returns 0, -ENOENT when the target has gone, or what the poller's Wake said.
int WakeTarget(uint64_t id);

}  // namespace tripoll

#endif  // TRIPOLL_WAKER_REGISTRY_H_
