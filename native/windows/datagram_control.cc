#include "datagram_control.h"

#include <cstring>

#include "windows/newer.h"

#include "datagram_parts.h"
#include "group_requests.h"
#include "windows/interfaces.h"

#include "os_errno.h"

namespace tripoll {

// A datagram's true length is not told, and there is no error queue.
const int kReceiveFlags = 0;
const int kErrorQueueFlag = 0;

namespace {

// Congestion experienced (RFC 3168).
constexpr uint32_t kMostEcn = 3;

// Of IPv4 within an IPv6 socket Windows tells IPv4's own; the other systems tell it in the form
// that the sender's address has.
void ReadPacketInfo(const cmsghdr& part, DatagramRecord* record) {
  const auto info = DataOf<in_pktinfo>(part);
  if (record->peer.family != AF_INET6) {
    SetLocal(record, AF_INET, info.ipi_ifindex, &info.ipi_addr, sizeof info.ipi_addr);
    return;
  }
  uint8_t mapped[sizeof(in6_addr)] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::memcpy(mapped + 12, &info.ipi_addr, sizeof info.ipi_addr);
  SetLocal(record, AF_INET6, info.ipi_ifindex, mapped, sizeof mapped);
}

void ReadIp(const cmsghdr& part, DatagramRecord* record) {
  switch (part.cmsg_type) {
    case IP_PKTINFO:
      ReadPacketInfo(part, record);
      break;
    case IP_TOS:
      SetTos(record, DataOf<uint32_t>(part));
      break;
    case IP_TTL:
    case IP_HOPLIMIT:
      SetTtl(record, DataOf<uint32_t>(part));
      break;
    default:
      break;  // nothing that we asked for
  }
}

void AppendLocal(const DatagramEndpoint& local, msghdr* message) {
  if (local.family == AF_INET) {
    in_pktinfo info{};
    info.ipi_ifindex = local.scope_id;
    std::memcpy(&info.ipi_addr, local.address, sizeof info.ipi_addr);
    AppendPart(message, IPPROTO_IP, IP_PKTINFO, info);
  } else if (local.family == AF_INET6) {
    AppendLocalIpv6(local, message);
  }
}

const in_addr& AddressOf(const sockaddr_storage& name) {
  return reinterpret_cast<const sockaddr_in*>(&name)->sin_addr;
}

// IPv4's older options name the interface by its address; their numbers are not those of MCAST_*.
int ChangeIpv4Membership(int fd, int option, uint32_t index, const in_addr& group,
                         const sockaddr_storage* source) {
  in_addr interface_address{};
  const int error = AddressOfInterface(index, &interface_address);
  if (error < 0) return error;
  if (source == nullptr) {
    const int name = option == MCAST_JOIN_GROUP ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP;
    ip_mreq request{};
    request.imr_multiaddr = group;
    request.imr_interface = interface_address;
    return os::Setsockopt(fd, IPPROTO_IP, name, &request, sizeof request);
  }
  int name = IP_UNBLOCK_SOURCE;
  if (option == MCAST_JOIN_SOURCE_GROUP) name = IP_ADD_SOURCE_MEMBERSHIP;
  if (option == MCAST_LEAVE_SOURCE_GROUP) name = IP_DROP_SOURCE_MEMBERSHIP;
  if (option == MCAST_BLOCK_SOURCE) name = IP_BLOCK_SOURCE;
  ip_mreq_source request{};
  request.imr_multiaddr = group;
  request.imr_sourceaddr = AddressOf(*source);
  request.imr_interface = interface_address;
  return os::Setsockopt(fd, IPPROTO_IP, name, &request, sizeof request);
}

}  // namespace

void ReadDatagramControl(const msghdr& message, DatagramRecord* record) {
  ReadControl(message, record, ReadIp);
}

// No segment is ever asked for: there is no UDP_SEGMENT among the constants.
void WriteDatagramControl(const DatagramRecord& record, uint32_t /*segment*/, bool is_ipv6,
                          msghdr* message) {
  message->msg_controllen = 0;
  // Its lowest two bits alone are known longer than the whole.
  const bool is_ecn = record.tos <= kMostEcn;
  if ((record.flags & kDatagramSendTos) != 0)
    AppendOwn(is_ipv6, is_ecn ? IP_ECN : IP_TOS, is_ecn ? IPV6_ECN : IPV6_TCLASS, record.tos,
              message);
  if ((record.flags & kDatagramSendTtl) != 0)
    AppendOwn(is_ipv6, IP_TTL, IPV6_HOPLIMIT, record.ttl, message);
  if ((record.flags & kDatagramSendLocal) != 0) AppendLocal(record.local, message);
  if (message->msg_controllen == 0) message->msg_control = nullptr;
}

int ChangeMembership(int fd, int option, uint32_t index, const sockaddr_storage& group,
                     const sockaddr_storage* source) {
  if (group.ss_family == AF_INET)
    return ChangeIpv4Membership(fd, option, index, AddressOf(group), source);
  if (source != nullptr) return RequestMembership(fd, option, index, group, source);
  return ChangeIpv6Membership(fd, option == MCAST_JOIN_GROUP, index, group);
}

// clang-format off: a constant a line. What asks for a part has the part's own name here, or none.
const Constant kDatagramConstants[] = {
    {"IP_TOS", IP_TOS},
    {"IP_TTL", IP_TTL},
    {"IP_PKTINFO", IP_PKTINFO},
    {"IP_RECVTOS", IP_RECVTOS},
    {"IP_RECVTTL", IP_RECVTTL},
    {"IP_MULTICAST_IF", IP_MULTICAST_IF},
    {"IP_MULTICAST_TTL", IP_MULTICAST_TTL},
    {"IP_MULTICAST_LOOP", IP_MULTICAST_LOOP},
    {"IPV6_UNICAST_HOPS", IPV6_UNICAST_HOPS},
    {"IPV6_RECVPKTINFO", IPV6_PKTINFO},
    {"IPV6_RECVTCLASS", IPV6_RECVTCLASS},
    {"IPV6_RECVHOPLIMIT", IPV6_HOPLIMIT},
    {"IPV6_MULTICAST_IF", IPV6_MULTICAST_IF},
    {"IPV6_MULTICAST_HOPS", IPV6_MULTICAST_HOPS},
    {"IPV6_MULTICAST_LOOP", IPV6_MULTICAST_LOOP},
    {"MCAST_JOIN_GROUP", MCAST_JOIN_GROUP},
    {"MCAST_LEAVE_GROUP", MCAST_LEAVE_GROUP},
    {"MCAST_JOIN_SOURCE_GROUP", MCAST_JOIN_SOURCE_GROUP},
    {"MCAST_LEAVE_SOURCE_GROUP", MCAST_LEAVE_SOURCE_GROUP},
    {"MCAST_BLOCK_SOURCE", MCAST_BLOCK_SOURCE},
    {"MCAST_UNBLOCK_SOURCE", MCAST_UNBLOCK_SOURCE},
};
// clang-format on
const size_t kDatagramConstantCount = sizeof kDatagramConstants / sizeof kDatagramConstants[0];

}  // namespace tripoll
