// Batches of datagrams for JavaScript, and what of UDP needs a struct. The memory of a batch is
// JavaScript's own, looked up and measured at every call (T07).
#include <cstddef>
#include <cstring>

#include "address_wrap.h"
#include "call_wrap.h"
#include "datagram_control.h"
#include "datagrams.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// A header and its records.
struct Records {
  bool Read(const Args* args, size_t at) {
    Span memory;
    if (!args->WholeBytes(at, &memory)) return false;
    if (memory.length < sizeof(DatagramHeader) ||
        reinterpret_cast<uintptr_t>(memory.data) % alignof(DatagramHeader) != 0) {
      ThrowRange(args->env(), "expected the records of a batch");
      return false;
    }
    header = reinterpret_cast<DatagramHeader*>(memory.data);
    list = reinterpret_cast<DatagramRecord*>(memory.data + sizeof(DatagramHeader));
    count = (memory.length - sizeof(DatagramHeader)) / sizeof(DatagramRecord);
    return true;
  }

  DatagramHeader* header = nullptr;
  DatagramRecord* list = nullptr;
  size_t count = 0;
};

using BatchCall = int (*)(int fd, const DatagramSlots& slots, unsigned first, unsigned count,
                          uint32_t options);

template <BatchCall kCall>
napi_value CallWithBatch(napi_env env, int fd, Records records, Span payload, uint32_t slot_bytes,
                         uint32_t first, uint32_t count, uint32_t options) {
  if (first > records.count || count > records.count - first ||
      (slot_bytes > 0 && payload.length / slot_bytes < size_t{first} + count)) {
    return ThrowRange(env, "first and count reach past the end of the batch");
  }
  const DatagramSlots slots{records.header, records.list, payload.data, slot_bytes};
  return ToValue(env, kCall(fd, slots, first, count, options));
}

// (records, index, local): the endpoint that a record has, of the sender or our own.
struct EndpointArgument {
  static constexpr size_t kArguments = 3;
  bool Read(const Args* args, size_t at) {
    Records records;
    uint32_t index = 0;
    uint32_t local = 0;
    if (!records.Read(args, at) || !args->Uint32(at + 1, &index) || !args->Uint32(at + 2, &local))
      return false;
    if (index >= records.count) {
      ThrowRange(args->env(), "index reaches past the end of the batch");
      return false;
    }
    endpoint = local == 0 ? &records.list[index].peer : &records.list[index].local;
    return true;
  }

  DatagramEndpoint* endpoint = nullptr;
};

// Fills the caller's object: { family, address, port, scopeId }.
napi_value UdpGetAddress(napi_env env, EndpointArgument from, napi_value out) {
  const DatagramEndpoint& endpoint = *from.endpoint;
  SocketAddress address;
  if (endpoint.family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<uint16_t>(endpoint.port));
    std::memcpy(&v4.sin_addr, endpoint.address, sizeof v4.sin_addr);
    std::memcpy(&address.storage, &v4, sizeof v4);
  } else if (endpoint.family == AF_INET6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<uint16_t>(endpoint.port));
    v6.sin6_scope_id = endpoint.scope_id;
    std::memcpy(&v6.sin6_addr, endpoint.address, sizeof v6.sin6_addr);
    std::memcpy(&address.storage, &v6, sizeof v6);
  }
  return FillAddress(env, out, address);
}

int UdpSetAddress(EndpointArgument to, const AddressArgument& address) {
  DatagramEndpoint& endpoint = *to.endpoint;
  endpoint.family = address.storage.ss_family;
  endpoint.scope_id = 0;
  if (endpoint.family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    endpoint.port = ntohs(v4->sin_port);
    std::memcpy(endpoint.address, &v4->sin_addr, sizeof v4->sin_addr);
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    endpoint.port = ntohs(v6->sin6_port);
    endpoint.scope_id = v6->sin6_scope_id;
    std::memcpy(endpoint.address, &v6->sin6_addr, sizeof v6->sin6_addr);
  }
  return 0;
}

// One of MCAST_*; a source only with those that have one, else ''.
int UdpMembership(int fd, int option, uint32_t index, int family, const std::string& group,
                  const std::string& source) {
  SocketAddress group_name;
  SocketAddress source_name;
  int error = ParseAddress({family, group}, &group_name);
  if (error == 0 && !source.empty()) error = ParseAddress({family, source}, &source_name);
  if (error < 0) return error;
  const sockaddr_storage* from = source.empty() ? nullptr : &source_name.storage;
  return ChangeMembership(fd, option, index, group_name.storage, from);
}

int InterfaceIndex(const std::string& name) { return os::IfNametoindex(name.c_str()); }

const Export kExports[] = {
    {"udpReceive", Call<CallWithBatch<ReceiveDatagrams>>},
    {"udpSend", Call<CallWithBatch<SendDatagrams>>},
    {"udpGetAddress", Call<UdpGetAddress>},
    {"udpSetAddress", Call<UdpSetAddress>},
    {"udpMembership", Call<UdpMembership>},
    {"udpDisconnect", Call<DisconnectDatagrams>},
    {"interfaceIndex", Call<InterfaceIndex>},
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
  ExportAll(env, exports, kExports);
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
