#include "env_wrap.h"

namespace tripoll {

void ExportRaw(napi_env /*env*/, napi_value /*exports*/) {}

}  // namespace tripoll
