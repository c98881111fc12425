#ifndef TRIPOLL_WINDOWS_PIPE_WRAP_H_
#define TRIPOLL_WINDOWS_PIPE_WRAP_H_

#include "env_wrap.h"

namespace tripoll {

void ExportPipes(napi_env env, napi_value exports);

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_PIPE_WRAP_H_
