// Unix sockets and their files, for JavaScript.
#include "windows/socket_files_wrap.h"

#include <cstring>

#include "call_wrap.h"
#include "socket_calls.h"
#include "unique_fd.h"
#include "windows/socket_files.h"

#include "os_errno.h"

namespace tripoll {

namespace {

int SocketFileId(Span path, Span out) {
  if (out.length < kFileIdBytes) return -ENOBUFS;
  uint8_t id[kFileIdBytes];
  const int error = FindSocketFile({reinterpret_cast<const char*>(path.data), path.length}, id);
  if (error == 0) std::memcpy(out.data, id, sizeof id);
  return error;
}

// Asked of the system by making one: Wine has none, whatever version it plays.
int HasUnixSockets() {
  const UniqueFd fd(os::Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd.get() >= 0 ? 1 : 0;
}

const Export kExports[] = {
    {"hasUnixSockets", Call<HasUnixSockets>},
    {"socketFileId", Call<SocketFileId>},
    {"awaitConnect", Call<AwaitConnect>},
};

}  // namespace

void ExportSocketFiles(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
