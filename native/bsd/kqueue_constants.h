#ifndef TRIPOLL_BSD_KQUEUE_CONSTANTS_H_
#define TRIPOLL_BSD_KQUEUE_CONSTANTS_H_

#include "constants.h"

namespace tripoll {

// The constants of this system's <sys/event.h>; each system has others.
extern const Constant kKqueueConstants[];
extern const size_t kKqueueConstantCount;

}  // namespace tripoll

#endif  // TRIPOLL_BSD_KQUEUE_CONSTANTS_H_
