#ifndef TRIPOLL_WINDOWS_INTERFACES_H_
#define TRIPOLL_WINDOWS_INTERFACES_H_

#include <cstdint>

#include "os_socket.h"

namespace tripoll {

// An IPv4 address of the interface of this number, by which Winsock's options for multicast name
// it; the wildcard address for 0. Returns 0, -ENODEV for an interface without one, or -errno.
int AddressOfInterface(uint32_t index, in_addr* address);

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_INTERFACES_H_
