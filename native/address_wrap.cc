#include "address_wrap.h"

namespace tripoll {

napi_value FillAddress(const Args& args, size_t index, const SocketAddress& address) {
  const napi_env env = args.env();
  napi_value out = args[index];
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
