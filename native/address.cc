#include "address.h"

#include <cstddef>
#include <cstring>

#include "os_errno.h"

namespace tripoll {

int ParseAddress(const InternetAddress& from, SocketAddress* to) {
  to->storage = {};
  // inet_pton stops at a NUL: what follows it must not be ignored.
  if (from.address.find('\0') != std::string::npos) return -EINVAL;
  if (from.family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(from.port);
    if (inet_pton(AF_INET, from.address.c_str(), &v4.sin_addr) != 1) return -EINVAL;
    std::memcpy(&to->storage, &v4, sizeof v4);
    to->length = sizeof v4;
    return 0;
  }
  if (from.family == AF_INET6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(from.port);
    v6.sin6_scope_id = from.scope_id;
    if (inet_pton(AF_INET6, from.address.c_str(), &v6.sin6_addr) != 1) return -EINVAL;
    std::memcpy(&to->storage, &v6, sizeof v6);
    to->length = sizeof v6;
    return 0;
  }
  return -EAFNOSUPPORT;
}

int FormatAddress(const SocketAddress& from, InternetAddress* to) {
  char text[INET6_ADDRSTRLEN] = {};
  to->family = from.storage.ss_family;
  if (to->family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from.storage, sizeof v4);
    if (inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text) == nullptr) return -EINVAL;
    to->port = ntohs(v4.sin_port);
  } else if (to->family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &from.storage, sizeof v6);
    if (inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text) == nullptr) return -EINVAL;
    to->port = ntohs(v6.sin6_port);
    to->scope_id = v6.sin6_scope_id;
  } else {
    return -EAFNOSUPPORT;
  }
  to->address = text;
  return 0;
}

socklen_t UnixNameLength(const sockaddr* address, socklen_t length) {
  constexpr auto kPath = static_cast<socklen_t>(offsetof(sockaddr, sa_data));
  if (length <= kPath || address->sa_family != AF_UNIX) return length;
  return address->sa_data[0] == '\0' ? kPath : length;
}

}  // namespace tripoll
