#ifndef TRIPOLL_ADDRESS_WRAP_H_
#define TRIPOLL_ADDRESS_WRAP_H_

#include "address.h"
#include "env_wrap.h"

namespace tripoll {

// Fills the caller's object at `index`: { family, address, port, scopeId }. Returns 0 or -errno to
// JavaScript, or throws a TypeError for what cannot be filled.
napi_value FillAddress(const Args& args, size_t index, const SocketAddress& address);

}  // namespace tripoll

#endif  // TRIPOLL_ADDRESS_WRAP_H_
