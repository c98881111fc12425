// macOS hides the IPv6 parts of RFC 3542 without this.
#define __APPLE_USE_RFC_3542  // NOLINT(bugprone-reserved-identifier)

#include "unix/datagram_control.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace tripoll {

// Only Linux tells a datagram's true length, and only Linux has an error queue.
const int kReceiveFlags = 0;
const int kErrorQueueFlag = 0;

namespace {

#ifndef MCAST_JOIN_GROUP
// Our own numbers, which ChangeMembership alone reads.
constexpr int kJoinGroup = 1;
constexpr int kLeaveGroup = 2;
#endif

template <typename T>
T DataOf(cmsghdr& part) {
  T value{};
  std::memcpy(&value, CMSG_DATA(&part), sizeof value);
  return value;
}

void SetLocal(DatagramRecord* record, uint32_t family, uint32_t interface, const void* address,
              size_t bytes) {
  record->flags |= kDatagramHasLocal;
  record->local.family = family;
  record->local.port = 0;
  record->local.scope_id = interface;
  std::memcpy(record->local.address, address, bytes);
}

void SetTos(DatagramRecord* record, uint32_t tos) {
  record->flags |= kDatagramHasTos;
  record->tos = tos;
}

void SetTtl(DatagramRecord* record, uint32_t ttl) {
  record->flags |= kDatagramHasTtl;
  record->ttl = ttl;
}

void ReadIp(cmsghdr& part, DatagramRecord* record) {
  switch (part.cmsg_type) {
#ifdef IP_PKTINFO
    case IP_PKTINFO: {
      const auto info = DataOf<in_pktinfo>(part);
      SetLocal(record, AF_INET, static_cast<uint32_t>(info.ipi_ifindex), &info.ipi_addr,
               sizeof info.ipi_addr);
      break;
    }
#else
    case IP_RECVDSTADDR: {
      const auto address = DataOf<in_addr>(part);
      SetLocal(record, AF_INET, 0, &address, sizeof address);
      break;
    }
#endif
#ifdef IP_RECVTOS
    case IP_RECVTOS:
      SetTos(record, DataOf<uint8_t>(part));
      break;
#endif
#ifdef IP_RECVTTL
    case IP_RECVTTL:
      SetTtl(record, DataOf<uint8_t>(part));
      break;
#endif
    default:
      break;  // nothing that we asked for
  }
}

void ReadIpv6(cmsghdr& part, DatagramRecord* record) {
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

// Adds a part to message.msg_control. What a record can ask for always fits (see the caller).
template <typename T>
void Append(msghdr* message, int level, int type, const T& value) {
  cmsghdr part{};
  part.cmsg_level = level;
  part.cmsg_type = type;
  part.cmsg_len = CMSG_LEN(sizeof value);
  auto* at = static_cast<uint8_t*>(message->msg_control) + message->msg_controllen;
  std::memcpy(at, &part, sizeof part);
  std::memcpy(at + CMSG_LEN(0), &value, sizeof value);
  message->msg_controllen += CMSG_SPACE(sizeof value);
}

void AppendLocal(const DatagramEndpoint& local, msghdr* message) {
  if (local.family == AF_INET) {
#ifdef IP_PKTINFO
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<decltype(info.ipi_ifindex)>(local.scope_id);
#ifdef __APPLE__
    std::memcpy(&info.ipi_spec_dst, local.address, sizeof info.ipi_spec_dst);
#else
    std::memcpy(&info.ipi_addr, local.address, sizeof info.ipi_addr);
#endif
    Append(message, IPPROTO_IP, IP_PKTINFO, info);
#else
    in_addr address{};
    std::memcpy(&address, local.address, sizeof address);
    Append(message, IPPROTO_IP, IP_SENDSRCADDR, address);
#endif
  } else if (local.family == AF_INET6) {
    in6_pktinfo info{};
    info.ipi6_ifindex = local.scope_id;
    std::memcpy(&info.ipi6_addr, local.address, sizeof info.ipi6_addr);
    Append(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

}  // namespace

void ReadDatagramControl(const msghdr& message, DatagramRecord* record) {
  // CMSG_NXTHDR is declared with a pointer to what it does not change.
  auto* whole = const_cast<msghdr*>(&message);
  for (cmsghdr* part = CMSG_FIRSTHDR(whole); part != nullptr; part = CMSG_NXTHDR(whole, part)) {
    if (part->cmsg_level == IPPROTO_IP) {
      ReadIp(*part, record);
    } else if (part->cmsg_level == IPPROTO_IPV6) {
      ReadIpv6(*part, record);
    }
  }
}

// No segment is ever asked for: there is no UDP_SEGMENT among the constants.
void WriteDatagramControl(const DatagramRecord& record, uint32_t /*segment*/, msghdr* message) {
  message->msg_controllen = 0;
  // Here a part of the other family is refused, not skipped. A connected socket's parts go by the
  // local address where there is one, else as IPv4's.
  const uint32_t family = record.peer.family != 0 ? record.peer.family : record.local.family;
  const bool is_v6 = family == AF_INET6;
  if ((record.flags & kDatagramSendTos) != 0) {
    Append(message, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_TCLASS : IP_TOS,
           static_cast<int>(record.tos));
  }
  if ((record.flags & kDatagramSendTtl) != 0) {
    Append(message, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_HOPLIMIT : IP_TTL,
           static_cast<int>(record.ttl));
  }
  if ((record.flags & kDatagramSendLocal) != 0) AppendLocal(record.local, message);
  if (message->msg_controllen == 0) message->msg_control = nullptr;
}

#ifdef MCAST_JOIN_GROUP

// The structs are RFC 3678's, the same for both families.
int ChangeMembership(int fd, int option, uint32_t interface, const sockaddr_storage& group,
                     const sockaddr_storage* source) {
  const int level = group.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (source == nullptr) {
    group_req request{};
    request.gr_interface = interface;
    request.gr_group = group;
    return os::Setsockopt(fd, level, option, &request, sizeof request);
  }
  group_source_req request{};
  request.gsr_interface = interface;
  request.gsr_group = group;
  request.gsr_source = *source;
  return os::Setsockopt(fd, level, option, &request, sizeof request);
}

#else

// OpenBSD and NetBSD: no source filters (and no constants for them below), and each family its own
// struct. An interface of IPv4 would have to be named by its address.
int ChangeMembership(int fd, int option, uint32_t interface, const sockaddr_storage& group,
                     const sockaddr_storage* source) {
  if (source != nullptr) return -ENOTSUP;
  const bool joins = option == kJoinGroup;
  if (group.ss_family == AF_INET6) {
    ipv6_mreq request{};
    const auto* name = reinterpret_cast<const sockaddr_in6*>(&group);
    request.ipv6mr_multiaddr = name->sin6_addr;
    request.ipv6mr_interface = interface;
    return os::Setsockopt(fd, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request,
                          sizeof request);
  }
  if (interface != 0) return -ENOTSUP;
  ip_mreq request{};
  request.imr_multiaddr = reinterpret_cast<const sockaddr_in*>(&group)->sin_addr;
  return os::Setsockopt(fd, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request,
                        sizeof request);
}

#endif

// clang-format off: a constant a line. IP_PKTINFO is here what asks for it.
const Constant kDatagramConstants[] = {
    {"IP_TOS", IP_TOS},
    {"IP_TTL", IP_TTL},
#ifdef IP_RECVPKTINFO
    {"IP_PKTINFO", IP_RECVPKTINFO},
#else
    {"IP_PKTINFO", IP_RECVDSTADDR},
#endif
#ifdef IP_RECVTOS
    {"IP_RECVTOS", IP_RECVTOS},
#endif
#ifdef IP_RECVTTL
    {"IP_RECVTTL", IP_RECVTTL},
#endif
    {"IP_MULTICAST_IF", IP_MULTICAST_IF},
    {"IP_MULTICAST_TTL", IP_MULTICAST_TTL},
    {"IP_MULTICAST_LOOP", IP_MULTICAST_LOOP},
    {"IPV6_TCLASS", IPV6_TCLASS},
    {"IPV6_UNICAST_HOPS", IPV6_UNICAST_HOPS},
    {"IPV6_RECVPKTINFO", IPV6_RECVPKTINFO},
    {"IPV6_RECVTCLASS", IPV6_RECVTCLASS},
    {"IPV6_RECVHOPLIMIT", IPV6_RECVHOPLIMIT},
    {"IPV6_MULTICAST_IF", IPV6_MULTICAST_IF},
    {"IPV6_MULTICAST_HOPS", IPV6_MULTICAST_HOPS},
    {"IPV6_MULTICAST_LOOP", IPV6_MULTICAST_LOOP},
#ifdef MCAST_JOIN_GROUP
    {"MCAST_JOIN_GROUP", MCAST_JOIN_GROUP},
    {"MCAST_LEAVE_GROUP", MCAST_LEAVE_GROUP},
    {"MCAST_JOIN_SOURCE_GROUP", MCAST_JOIN_SOURCE_GROUP},
    {"MCAST_LEAVE_SOURCE_GROUP", MCAST_LEAVE_SOURCE_GROUP},
    {"MCAST_BLOCK_SOURCE", MCAST_BLOCK_SOURCE},
    {"MCAST_UNBLOCK_SOURCE", MCAST_UNBLOCK_SOURCE},
#else
    {"MCAST_JOIN_GROUP", kJoinGroup},
    {"MCAST_LEAVE_GROUP", kLeaveGroup},
#endif
};
// clang-format on
const size_t kDatagramConstantCount = sizeof kDatagramConstants / sizeof kDatagramConstants[0];

}  // namespace tripoll
