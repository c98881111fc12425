// Batches of datagrams for JavaScript, and what of UDP needs a struct. The memory of a batch is
// JavaScript's own, looked up and measured at every call (T07).
#include <cstddef>
#include <cstring>

#include "address.h"
#include "address_wrap.h"
#include "datagram_control.h"
#include "datagrams.h"
#include "env_wrap.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// A header and its records.
struct Records {
  DatagramHeader* header;
  DatagramRecord* list;
  size_t count;
};

bool ReadRecords(const Args& args, size_t index, Records* records) {
  uint8_t* data = nullptr;
  size_t bytes = 0;
  if (!args.WholeBytes(index, &data, &bytes)) return false;
  if (bytes < sizeof(DatagramHeader) ||
      reinterpret_cast<uintptr_t>(data) % alignof(DatagramHeader) != 0) {
    ThrowRange(args.env(), "expected the records of a batch");
    return false;
  }
  records->header = reinterpret_cast<DatagramHeader*>(data);
  records->list = reinterpret_cast<DatagramRecord*>(data + sizeof(DatagramHeader));
  records->count = (bytes - sizeof(DatagramHeader)) / sizeof(DatagramRecord);
  return true;
}

using BatchCall = int (*)(int fd, const DatagramSlots& slots, unsigned first, unsigned count,
                          uint32_t options);

// (fd, records, payload, slotBytes, first, count, options)
napi_value CallWithBatch(napi_env env, napi_callback_info info, BatchCall call) {
  const Args args(env, info, 7);
  int32_t fd = 0;
  Records records{};
  uint8_t* payload = nullptr;
  size_t payload_bytes = 0;
  uint32_t slot_bytes = 0;
  uint32_t first = 0;
  uint32_t count = 0;
  uint32_t options = 0;
  if (!args.Int32(0, &fd) || !ReadRecords(args, 1, &records) ||
      !args.WholeBytes(2, &payload, &payload_bytes) || !args.Uint32(3, &slot_bytes) ||
      !args.Uint32(4, &first) || !args.Uint32(5, &count) || !args.Uint32(6, &options)) {
    return nullptr;
  }
  if (first > records.count || count > records.count - first ||
      (slot_bytes > 0 && payload_bytes / slot_bytes < size_t{first} + count)) {
    return ThrowRange(env, "first and count reach past the end of the batch");
  }
  const DatagramSlots slots{records.header, records.list, payload, slot_bytes};
  return ToValue(env, call(fd, slots, first, count, options));
}

napi_value UdpReceive(napi_env env, napi_callback_info info) {
  return CallWithBatch(env, info, ReceiveDatagrams);
}
napi_value UdpSend(napi_env env, napi_callback_info info) {
  return CallWithBatch(env, info, SendDatagrams);
}

// (records, index, local): the endpoint that a record has, of the sender or our own.
DatagramEndpoint* ReadEndpoint(const Args& args) {
  Records records{};
  uint32_t index = 0;
  uint32_t local = 0;
  if (!ReadRecords(args, 0, &records) || !args.Uint32(1, &index) || !args.Uint32(2, &local))
    return nullptr;
  if (index >= records.count) {
    ThrowRange(args.env(), "index reaches past the end of the batch");
    return nullptr;
  }
  return local == 0 ? &records.list[index].peer : &records.list[index].local;
}

// (records, index, local, out): fills { family, address, port, scopeId }.
napi_value UdpGetAddress(napi_env env, napi_callback_info info) {
  const Args args(env, info, 4);
  const DatagramEndpoint* endpoint = ReadEndpoint(args);
  if (endpoint == nullptr) return nullptr;
  SocketAddress address;
  if (endpoint->family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<uint16_t>(endpoint->port));
    std::memcpy(&v4.sin_addr, endpoint->address, sizeof v4.sin_addr);
    std::memcpy(&address.storage, &v4, sizeof v4);
  } else if (endpoint->family == AF_INET6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<uint16_t>(endpoint->port));
    v6.sin6_scope_id = endpoint->scope_id;
    std::memcpy(&v6.sin6_addr, endpoint->address, sizeof v6.sin6_addr);
    std::memcpy(&address.storage, &v6, sizeof v6);
  }
  return FillAddress(args, 3, address);
}

// (records, index, local, family, address, port, scopeId)
napi_value UdpSetAddress(napi_env env, napi_callback_info info) {
  const Args args(env, info, 7);
  InternetAddress from;
  uint32_t port = 0;
  if (!args.Int32(3, &from.family) || !args.Text(4, &from.address) || !args.Uint32(5, &port) ||
      !args.Uint32(6, &from.scope_id)) {
    return nullptr;
  }
  if (port > UINT16_MAX) return ThrowRange(env, "a port is at most 65535");
  SocketAddress parsed;
  const int error = ParseAddress(from, &parsed);
  if (error < 0) return ToValue(env, error);
  // After all that can run code of the caller's, of which there is none.
  DatagramEndpoint* endpoint = ReadEndpoint(args);
  if (endpoint == nullptr) return nullptr;
  endpoint->family = static_cast<uint32_t>(from.family);
  endpoint->port = port;
  endpoint->scope_id = from.scope_id;
  if (from.family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&parsed.storage);
    std::memcpy(endpoint->address, &v4->sin_addr, sizeof v4->sin_addr);
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&parsed.storage);
    std::memcpy(endpoint->address, &v6->sin6_addr, sizeof v6->sin6_addr);
  }
  return ToValue(env, 0);
}

// (fd, option, interface, family, group, source): one of MCAST_*; a source only with those that
// have one, else ''.
napi_value UdpMembership(napi_env env, napi_callback_info info) {
  const Args args(env, info, 6);
  int32_t fd = 0;
  int32_t option = 0;
  uint32_t index = 0;
  InternetAddress group;
  InternetAddress source;
  if (!args.Int32(0, &fd) || !args.Int32(1, &option) || !args.Uint32(2, &index) ||
      !args.Int32(3, &group.family) || !args.Text(4, &group.address) ||
      !args.Text(5, &source.address)) {
    return nullptr;
  }
  source.family = group.family;
  SocketAddress group_name;
  SocketAddress source_name;
  const bool has_source = !source.address.empty();
  int error = ParseAddress(group, &group_name);
  if (error == 0 && has_source) error = ParseAddress(source, &source_name);
  if (error == 0) {
    const sockaddr_storage* from = has_source ? &source_name.storage : nullptr;
    error = ChangeMembership(fd, option, index, group_name.storage, from);
  }
  return ToValue(env, error);
}

// Takes the peer of a connected socket away.
napi_value UdpDisconnect(napi_env env, napi_callback_info info) {
  const Args args(env, info, 1);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  return ToValue(env, os::Connect(fd, &none, sizeof none));
}

napi_value InterfaceIndex(napi_env env, napi_callback_info info) {
  const Args args(env, info, 1);
  std::string name;
  if (!args.Text(0, &name)) return nullptr;
  return ToValue(env, os::IfNametoindex(name.c_str()));
}

const Export kExports[] = {
    {"udpReceive", UdpReceive},         {"udpSend", UdpSend},
    {"udpGetAddress", UdpGetAddress},   {"udpSetAddress", UdpSetAddress},
    {"udpMembership", UdpMembership},   {"udpDisconnect", UdpDisconnect},
    {"interfaceIndex", InterfaceIndex},
};

#define WORD(name) \
  { #name, offsetof(DatagramRecord, name) / sizeof(uint32_t) }

// Offsets in words of 32 bits.
const Constant kLayout[] = {
    {"headerBytes", sizeof(DatagramHeader)},
    {"recordBytes", sizeof(DatagramRecord)},
    WORD(length),
    WORD(wire_length),
    WORD(flags),
    WORD(error),
    WORD(segment_bytes),
    WORD(sent_bytes),
    WORD(tos),
    WORD(ttl),
    WORD(peer),
    WORD(local),
    WORD(time_s),
    WORD(time_s_high),
    WORD(time_ns),
    WORD(error_origin),
    WORD(error_kind),
    WORD(error_info),
    {"endpointBytes", sizeof(DatagramEndpoint)},
    {"FLAG_TRUNCATED", kDatagramTruncated},
    {"FLAG_CONTROL_TRUNCATED", kDatagramControlTruncated},
    {"FLAG_HAS_TOS", kDatagramHasTos},
    {"FLAG_HAS_TTL", kDatagramHasTtl},
    {"FLAG_HAS_LOCAL", kDatagramHasLocal},
    {"FLAG_HAS_TIME", kDatagramHasTime},
    {"FLAG_SEND_TOS", kDatagramSendTos},
    {"FLAG_SEND_TTL", kDatagramSendTtl},
    {"FLAG_SEND_LOCAL", kDatagramSendLocal},
    {"OPTION_CONTROL", kDatagramControl},
    {"OPTION_ERROR_QUEUE", kDatagramErrorQueue},
    {"OPTION_RETRY_PENDING", kDatagramRetryPending},
    {"OPTION_NO_SEGMENTS", kDatagramNoSegments},
    {"OPTION_COALESCE", kDatagramCoalesce},
    {"OPTION_IPV6", kDatagramIpv6},
};

}  // namespace

void ExportUdp(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
  napi_value layout = ToObject(env, kLayout, sizeof kLayout / sizeof kLayout[0]);
  napi_value constants = ToObject(env, kDatagramConstants, kDatagramConstantCount);
  // A failure leaves an exception pending, which fails the load.
  if (layout == nullptr || constants == nullptr ||
      napi_set_named_property(env, exports, "udpLayout", layout) != napi_ok) {
    return;
  }
  static_cast<void>(napi_set_named_property(env, exports, "udpConstants", constants));
}

}  // namespace tripoll
