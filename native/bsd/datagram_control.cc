// macOS hides the IPv6 parts of RFC 3542 without this.
#define __APPLE_USE_RFC_3542  // NOLINT(bugprone-reserved-identifier)

#include "datagram_control.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "datagram_parts.h"
#ifdef MCAST_JOIN_GROUP
#include "group_requests.h"
#endif

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

void ReadIp(const cmsghdr& part, DatagramRecord* record) {
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
    AppendPart(message, IPPROTO_IP, IP_PKTINFO, info);
#else
    in_addr address{};
    std::memcpy(&address, local.address, sizeof address);
    AppendPart(message, IPPROTO_IP, IP_SENDSRCADDR, address);
#endif
  } else if (local.family == AF_INET6) {
    AppendLocalIpv6(local, message);
  }
}

}  // namespace

void ReadDatagramControl(const msghdr& message, DatagramRecord* record) {
  ReadControl(message, record, ReadIp);
}

// No segment is ever asked for: there is no UDP_SEGMENT among the constants.
void WriteDatagramControl(const DatagramRecord& record, uint32_t /*segment*/, bool is_ipv6,
                          msghdr* message) {
  message->msg_controllen = 0;
  if ((record.flags & kDatagramSendTos) != 0)
    AppendOwn(is_ipv6, IP_TOS, IPV6_TCLASS, record.tos, message);
  if ((record.flags & kDatagramSendTtl) != 0)
    AppendOwn(is_ipv6, IP_TTL, IPV6_HOPLIMIT, record.ttl, message);
  if ((record.flags & kDatagramSendLocal) != 0) AppendLocal(record.local, message);
  if (message->msg_controllen == 0) message->msg_control = nullptr;
}

#ifdef MCAST_JOIN_GROUP

int ChangeMembership(int fd, int option, uint32_t index, const sockaddr_storage& group,
                     const sockaddr_storage* source) {
  return RequestMembership(fd, option, index, group, source);
}

#else

// OpenBSD and NetBSD: no source filters (and no constants for them below), and each family its own
// struct. An interface of IPv4 would have to be named by its address.
int ChangeMembership(int fd, int option, uint32_t index, const sockaddr_storage& group,
                     const sockaddr_storage* source) {
  if (source != nullptr) return -ENOTSUP;
  const bool joins = option == kJoinGroup;
  if (group.ss_family == AF_INET6) return ChangeIpv6Membership(fd, joins, index, group);
  if (index != 0) return -ENOTSUP;
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
