#include "address_wrap.h"

#include <algorithm>
#include <cstring>

#include "call_wrap.h"
#include "socket_calls.h"

#include "os_errno.h"

namespace tripoll {

namespace {

template <int (*kCall)(int fd, const sockaddr* address, socklen_t length)>
int CallWithBytes(int fd, Span bytes) {
  SocketAddress address;
  if (bytes.length > sizeof address.storage) return -ENAMETOOLONG;
  if (bytes.length > 0) std::memcpy(&address.storage, bytes.data, bytes.length);
  return kCall(fd, address.get(), static_cast<socklen_t>(bytes.length));
}

// The fd's own name, or its peer's: the length of the address, of which as much is in out as fits.
int NameBytes(int fd, int is_peer, Span out) {
  SocketAddress address;
  const auto call = is_peer != 0 ? os::Getpeername : os::Getsockname;
  const int error = call(fd, address.get(), &address.length);
  if (error < 0) return error;
  const size_t length = std::min(static_cast<size_t>(address.length), sizeof address.storage);
  const size_t fitting = std::min(length, out.length);
  if (fitting > 0) std::memcpy(out.data, &address.storage, fitting);
  return static_cast<int>(length);
}

// An internet address as bytes; their number.
int ToSockaddr(const AddressArgument& address, Span out) {
  const auto length = static_cast<size_t>(address.length);
  if (length > out.length) return -ENOBUFS;
  std::memcpy(out.data, &address.storage, length);
  return static_cast<int>(length);
}

// Fills out with { family, address, port, scopeId }.
napi_value FromSockaddr(napi_env env, Span bytes, napi_value out) {
  SocketAddress address;
  if (bytes.length > 0) {
    std::memcpy(&address.storage, bytes.data, std::min(bytes.length, sizeof address.storage));
  }
  return FillAddress(env, out, address);
}

const Export kExports[] = {
    {"bindBytes", Call<CallWithBytes<os::Bind>>},
    {"connectBytes", Call<CallWithBytes<os::Connect>>},
    {"nameBytes", Call<NameBytes>},
    {"toSockaddr", Call<ToSockaddr>},
    {"fromSockaddr", Call<FromSockaddr>},
};

}  // namespace

void ExportAddresses(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

bool AddressArgument::Read(Args* args, size_t at) {
  InternetAddress from;
  uint32_t port = 0;
  if (!args->Int32(at, &from.family) || !args->Text(at + 1, &from.address) ||
      !args->Uint32(at + 2, &port) || !args->Uint32(at + 3, &from.scope_id)) {
    return false;
  }
  if (port > UINT16_MAX) {
    ThrowRange(args->env(), "a port is at most 65535");
    return false;
  }
  from.port = static_cast<uint16_t>(port);
  const int error = ParseAddress(from, this);
  return error == 0 || args->Refuse(error);
}

napi_value FillAddress(napi_env env, napi_value out, const SocketAddress& address) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, out, &type) != napi_ok || (type != napi_object && type != napi_function)) {
    return ThrowType(env, "expected an object to fill");
  }
  InternetAddress name;
  const int error = FormatAddress(address, &name);
  if (error < 0) return ToValue(env, error);
  // A setter or a proxy may throw here: then that exception is what the caller gets.
  if (!SetNumber(env, out, "family", name.family) || !SetText(env, out, "address", name.address) ||
      !SetNumber(env, out, "port", name.port) || !SetNumber(env, out, "scopeId", name.scope_id)) {
    return ThrowType(env, "expected an object to fill");
  }
  return ToValue(env, 0);
}

}  // namespace tripoll
