#ifndef TRIPOLL_ADDRESS_H_
#define TRIPOLL_ADDRESS_H_

#include <cstdint>
#include <string>

#include "os_socket.h"

namespace tripoll {

// An internet address as text, the way JavaScript sees it.
struct InternetAddress {
  int family = 0;  // AF_INET or AF_INET6
  std::string address;
  uint16_t port = 0;
  uint32_t scope_id = 0;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// Both return 0, -EAFNOSUPPORT for another family, or -EINVAL for a text that is no address.
int ParseAddress(const InternetAddress& from, SocketAddress* to);
int FormatAddress(const SocketAddress& from, InternetAddress* to);

// The length of an address that Windows gave. An unnamed Unix socket's has no more than its family,
// as on Linux: Windows gives 108 NULs, which would be an abstract name there (T102).
socklen_t UnixNameLength(const sockaddr* address, socklen_t length);

}  // namespace tripoll

#endif  // TRIPOLL_ADDRESS_H_
