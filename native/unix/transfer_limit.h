#ifndef TRIPOLL_UNIX_TRANSFER_LIMIT_H_
#define TRIPOLL_UNIX_TRANSFER_LIMIT_H_

#include <cstddef>

namespace tripoll {

// One call may not hold up the turn for longer than this takes to hand over.
constexpr size_t kMostPerCall = size_t{1} << 20;

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_TRANSFER_LIMIT_H_
