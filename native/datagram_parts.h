// What the datagram_control.cc of all systems share: reading and adding parts of ancillary data.
#ifndef TRIPOLL_DATAGRAM_PARTS_H_
#define TRIPOLL_DATAGRAM_PARTS_H_

#include <cstring>

#include "datagram_control.h"

namespace tripoll {

// CMSG_DATA and CMSG_NXTHDR are declared with pointers to what they do not change.
template <typename T>
T DataOf(const cmsghdr& part) {
  T value{};
  std::memcpy(&value, CMSG_DATA(const_cast<cmsghdr*>(&part)), sizeof value);
  return value;
}

template <typename Read>
void ReadParts(const msghdr& message, Read read) {
  auto* whole = const_cast<msghdr*>(&message);
  for (cmsghdr* part = CMSG_FIRSTHDR(whole); part != nullptr; part = CMSG_NXTHDR(whole, part)) {
    read(*part);
  }
}

inline void SetLocal(DatagramRecord* record, uint32_t family, uint32_t index, const void* address,
                     size_t bytes) {
  record->flags |= kDatagramHasLocal;
  record->local.family = family;
  record->local.port = 0;
  record->local.scope_id = index;
  std::memcpy(record->local.address, address, bytes);
}

inline void SetTos(DatagramRecord* record, uint32_t tos) {
  record->flags |= kDatagramHasTos;
  record->tos = tos;
}

inline void SetTtl(DatagramRecord* record, uint32_t ttl) {
  record->flags |= kDatagramHasTtl;
  record->ttl = ttl;
}

// Reads a part of IPv6, as RFC 3542 has them on every system.
inline void ReadIpv6(const cmsghdr& part, DatagramRecord* record) {
  switch (part.cmsg_type) {
    case IPV6_PKTINFO: {
      const auto info = DataOf<in6_pktinfo>(part);
      SetLocal(record, AF_INET6, info.ipi6_ifindex, &info.ipi6_addr, sizeof info.ipi6_addr);
      break;
    }
    case IPV6_TCLASS:
      SetTos(record, DataOf<uint32_t>(part));
      break;
    case IPV6_HOPLIMIT:
      SetTtl(record, DataOf<uint32_t>(part));
      break;
    default:
      break;  // nothing that we asked for
  }
}

// Reads the parts of a system that has none but those of IPv4 and IPv6.
template <typename ReadIp>
void ReadControl(const msghdr& message, DatagramRecord* record, ReadIp read_ip) {
  ReadParts(message, [=](const cmsghdr& part) {
    if (part.cmsg_level == IPPROTO_IP) {
      read_ip(part, record);
    } else if (part.cmsg_level == IPPROTO_IPV6) {
      ReadIpv6(part, record);
    }
  });
}

// Adds a part to message.msg_control. What a record can ask for always fits
// (kDatagramControlBytes).
template <typename T>
void AppendPart(msghdr* message, int level, int type, const T& value) {
  cmsghdr part{};
  part.cmsg_level = level;
  part.cmsg_type = type;
  part.cmsg_len = CMSG_LEN(sizeof value);
  auto* at = static_cast<uint8_t*>(message->msg_control) + message->msg_controllen;
  std::memcpy(at, &part, sizeof part);
  std::memcpy(at + CMSG_LEN(0), &value, sizeof value);
  message->msg_controllen += CMSG_SPACE(sizeof value);
}

inline void AppendLocalIpv6(const DatagramEndpoint& local, msghdr* message) {
  in6_pktinfo info{};
  info.ipi6_ifindex = local.scope_id;
  std::memcpy(&info.ipi6_addr, local.address, sizeof info.ipi6_addr);
  AppendPart(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

// A value that the record asks for, where a part of the family that is not the socket's is refused.
inline void AppendOwn(bool is_ipv6, int type4, int type6, uint32_t value, msghdr* message) {
  AppendPart(message, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, is_ipv6 ? type6 : type4,
             static_cast<int>(value));
}

// Joins or leaves by IPv6's own request, which every system has.
inline int ChangeIpv6Membership(int fd, bool joins, uint32_t index, const sockaddr_storage& group) {
  ipv6_mreq request{};
  request.ipv6mr_multiaddr = reinterpret_cast<const sockaddr_in6*>(&group)->sin6_addr;
  request.ipv6mr_interface = index;
  return os::Setsockopt(fd, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request,
                        sizeof request);
}

}  // namespace tripoll

#endif  // TRIPOLL_DATAGRAM_PARTS_H_
