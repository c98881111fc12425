// How fds of named pipes are made, for JavaScript; all else are the calls that sockets have.
#include "windows/pipe_wrap.h"

#include "call_wrap.h"
#include "windows/pipe_calls.h"

namespace tripoll {

namespace {

// Names as their bytes, which a string argument would limit to 255.
std::string ToName(Span bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data), bytes.length);
}

int PipeListen(Span name, uint32_t backlog, uint32_t remote) {
  return ListenOnPipe(ToName(name), backlog, remote != 0);
}

int PipeConnect(Span name) { return ConnectToPipe(ToName(name)); }

const Export kExports[] = {
    {"pipeListen", Open<PipeListen>},
    {"pipeConnect", Open<PipeConnect>},
};

}  // namespace

void ExportPipes(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
