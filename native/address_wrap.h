#ifndef TRIPOLL_ADDRESS_WRAP_H_
#define TRIPOLL_ADDRESS_WRAP_H_

#include "address.h"
#include "env_wrap.h"

namespace tripoll {

// An address as a parameter of a call: (family, address, port, scopeId). A text that is no address
// makes the call return -EINVAL.
struct AddressArgument : SocketAddress {
  static constexpr size_t kArguments = 4;
  bool Read(Args* args, size_t at);
};

// Fills the caller's object: { family, address, port, scopeId }. Returns 0 or -errno to JavaScript,
// or throws a TypeError for what cannot be filled.
napi_value FillAddress(napi_env env, napi_value out, const SocketAddress& address);

}  // namespace tripoll

#endif  // TRIPOLL_ADDRESS_WRAP_H_
