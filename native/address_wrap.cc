#include "address_wrap.h"

namespace tripoll {

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
