#ifndef TRIPOLL_WINDOWS_SOCKET_FILES_WRAP_H_
#define TRIPOLL_WINDOWS_SOCKET_FILES_WRAP_H_

#include "env_wrap.h"

namespace tripoll {

void ExportSocketFiles(napi_env env, napi_value exports);

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_SOCKET_FILES_WRAP_H_
