// The shim has no sendfile or credentials of a BSD's: a twin of native/bsd/transfer_wrap.cc.
#include "env_wrap.h"

namespace tripoll {

void ExportTransfer(napi_env /*env*/, napi_value /*exports*/) {}

}  // namespace tripoll
