// What Windows itself called the last error, for messages.
#include "windows/error_wrap.h"

#include "call_wrap.h"
#include "windows/win_error.h"

namespace tripoll {

namespace {

// The code that became this errno in the last failed call of this thread; 0 when that was another,
// or was told already.
int TakeSystemCode(int error) {
  const uint32_t code = TakeWinError();
  const bool is_it = code != 0 && FromWinError(code) == error;
  static_cast<void>(TakeWinError());  // asking has noted it once more
  return is_it ? static_cast<int>(code) : 0;
}

const Export kExports[] = {{"takeSystemCode", Call<TakeSystemCode>}};

}  // namespace

void ExportErrors(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
