#ifndef TRIPOLL_UNIX_TRANSFER_LIMIT_H_
#define TRIPOLL_UNIX_TRANSFER_LIMIT_H_

#include <cstddef>

namespace tripoll {

// The most bytes that one call moves: to hand over more would hold up the turn.
constexpr size_t kMostPerCall = size_t{1} << 20;

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_TRANSFER_LIMIT_H_
