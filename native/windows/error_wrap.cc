// What Windows itself called the last error, for messages.
#include "windows/error_wrap.h"

#include "windows/win_error.h"

namespace tripoll {

namespace {

// (errno): the code that became this errno in the last failed call of this thread; 0 when that was
// another, or was told already.
napi_value TakeSystemCode(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t error = 0;
  if (!args.Int32(0, &error)) return nullptr;
  const uint32_t code = TakeWinError();
  const bool is_it = code != 0 && FromWinError(code) == error;
  static_cast<void>(TakeWinError());  // asking has noted it once more
  return ToValue(env, is_it ? static_cast<int32_t>(code) : 0);
}

const Export kExports[] = {{"takeSystemCode", TakeSystemCode}};

}  // namespace

void ExportErrors(napi_env env, napi_value exports) { ExportAll(env, exports, kExports, 1); }

}  // namespace tripoll
