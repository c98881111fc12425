#include "datagram_control.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstring>
#include <ctime>

#include "datagram_parts.h"
#include "group_requests.h"
#include "linux/newer.h"

namespace tripoll {

const int kReceiveFlags = MSG_TRUNC;
const int kErrorQueueFlag = MSG_ERRQUEUE;

namespace {

// Who reported the error (the router, or the peer itself) follows the struct.
void ReadError(const cmsghdr& part, DatagramRecord* record) {
  const auto error = DataOf<sock_extended_err>(part);
  record->error = error.ee_errno;
  record->error_origin = error.ee_origin;
  record->error_kind = (uint32_t{error.ee_type} << 8) | error.ee_code;
  record->error_info = error.ee_info;
  const unsigned char* after = CMSG_DATA(&part) + sizeof error;
  const size_t left =
      part.cmsg_len - static_cast<size_t>(after - reinterpret_cast<const unsigned char*>(&part));
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (left < sizeof v4) return;
  std::memcpy(&v4, after, sizeof v4);
  if (v4.sin_family == AF_INET) {
    SetLocal(record, AF_INET, 0, &v4.sin_addr, sizeof v4.sin_addr);
  } else if (v4.sin_family == AF_INET6 && left >= sizeof v6) {
    std::memcpy(&v6, after, sizeof v6);
    SetLocal(record, AF_INET6, v6.sin6_scope_id, &v6.sin6_addr, sizeof v6.sin6_addr);
  }
}

void ReadIp(const cmsghdr& part, DatagramRecord* record) {
  switch (part.cmsg_type) {
    case IP_PKTINFO: {
      const auto info = DataOf<in_pktinfo>(part);
      SetLocal(record, AF_INET, static_cast<uint32_t>(info.ipi_ifindex), &info.ipi_addr,
               sizeof info.ipi_addr);
      break;
    }
    case IP_TOS:  // a byte, unlike all others
      SetTos(record, DataOf<uint8_t>(part));
      break;
    case IP_TTL:
      SetTtl(record, DataOf<uint32_t>(part));
      break;
    case IP_RECVERR:
      ReadError(part, record);
      break;
    default:
      break;  // nothing that we asked for
  }
}

void ReadTime(const cmsghdr& part, DatagramRecord* record) {
  const auto time = DataOf<timespec>(part);
  record->flags |= kDatagramHasTime;
  const auto seconds = static_cast<uint64_t>(time.tv_sec);
  record->time_s = static_cast<uint32_t>(seconds);
  record->time_s_high = static_cast<uint32_t>(seconds >> 32);
  record->time_ns = static_cast<uint32_t>(time.tv_nsec);
}

void AppendLocal(const DatagramEndpoint& local, msghdr* message) {
  if (local.family == AF_INET) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(local.scope_id);
    std::memcpy(&info.ipi_spec_dst, local.address, sizeof info.ipi_spec_dst);
    AppendPart(message, IPPROTO_IP, IP_PKTINFO, info);
  } else if (local.family == AF_INET6) {
    AppendLocalIpv6(local, message);
  }
}

}  // namespace

void ReadDatagramControl(const msghdr& message, DatagramRecord* record) {
  ReadParts(message, [record](const cmsghdr& part) {
    if (part.cmsg_level == IPPROTO_IP) {
      ReadIp(part, record);
    } else if (part.cmsg_level == IPPROTO_IPV6 && part.cmsg_type == IPV6_RECVERR) {
      ReadError(part, record);
    } else if (part.cmsg_level == IPPROTO_IPV6) {
      ReadIpv6(part, record);
    } else if (part.cmsg_level == SOL_SOCKET && part.cmsg_type == SO_TIMESTAMPNS) {
      ReadTime(part, record);
    } else if (part.cmsg_level == SOL_UDP && part.cmsg_type == UDP_GRO) {
      const int segment = DataOf<int>(part);
      if (segment > 0 && static_cast<uint32_t>(segment) < record->length)
        record->segment_bytes = static_cast<uint32_t>(segment);
    }
  });
}

void WriteDatagramControl(const DatagramRecord& record, uint32_t segment, bool is_ipv6,
                          msghdr* message) {
  static_assert(CMSG_SPACE(sizeof(in6_pktinfo)) + 4 * CMSG_SPACE(sizeof(int)) +
                        CMSG_SPACE(sizeof(uint16_t)) <=
                    kDatagramControlBytes,
                "all that a record can ask for");
  message->msg_controllen = 0;
  // An IPv6 address may be an IPv4 one inside: the kernel skips what is of the other family.
  const auto value_of = [&](uint32_t flag, uint32_t value, int type4, int type6) {
    if ((record.flags & flag) == 0) return;
    AppendPart(message, IPPROTO_IP, type4, static_cast<int>(value));
    if (is_ipv6) AppendPart(message, IPPROTO_IPV6, type6, static_cast<int>(value));
  };
  value_of(kDatagramSendTos, record.tos, IP_TOS, IPV6_TCLASS);
  value_of(kDatagramSendTtl, record.ttl, IP_TTL, IPV6_HOPLIMIT);
  if ((record.flags & kDatagramSendLocal) != 0) AppendLocal(record.local, message);
  if (segment != 0) AppendPart(message, SOL_UDP, UDP_SEGMENT, static_cast<uint16_t>(segment));
  if (message->msg_controllen == 0) message->msg_control = nullptr;
}

int ChangeMembership(int fd, int option, uint32_t index, const sockaddr_storage& group,
                     const sockaddr_storage* source) {
  return RequestMembership(fd, option, index, group, source);
}

// clang-format off: a constant a line.
const Constant kDatagramConstants[] = {
    {"SO_TIMESTAMPNS", SO_TIMESTAMPNS},
    {"SOL_UDP", SOL_UDP},
    {"UDP_SEGMENT", UDP_SEGMENT},
    {"UDP_GRO", UDP_GRO},
    {"IP_TOS", IP_TOS},
    {"IP_TTL", IP_TTL},
    {"IP_PKTINFO", IP_PKTINFO},
    {"IP_RECVTOS", IP_RECVTOS},
    {"IP_RECVTTL", IP_RECVTTL},
    {"IP_RECVERR", IP_RECVERR},
    {"IP_MULTICAST_IF", IP_MULTICAST_IF},
    {"IP_MULTICAST_TTL", IP_MULTICAST_TTL},
    {"IP_MULTICAST_LOOP", IP_MULTICAST_LOOP},
    {"IP_MULTICAST_ALL", IP_MULTICAST_ALL},
    {"IPV6_TCLASS", IPV6_TCLASS},
    {"IPV6_UNICAST_HOPS", IPV6_UNICAST_HOPS},
    {"IPV6_RECVPKTINFO", IPV6_RECVPKTINFO},
    {"IPV6_RECVTCLASS", IPV6_RECVTCLASS},
    {"IPV6_RECVHOPLIMIT", IPV6_RECVHOPLIMIT},
    {"IPV6_RECVERR", IPV6_RECVERR},
    {"IPV6_MULTICAST_IF", IPV6_MULTICAST_IF},
    {"IPV6_MULTICAST_HOPS", IPV6_MULTICAST_HOPS},
    {"IPV6_MULTICAST_LOOP", IPV6_MULTICAST_LOOP},
    {"IPV6_MULTICAST_ALL", IPV6_MULTICAST_ALL},
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
