// What streams have besides reading and writing: a file's bytes without a copy, and who is at the
// other end.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "env_wrap.h"
#include "os_calls.h"
#include "unix/transfer_limit.h"

namespace tripoll {

namespace {

// (outFd, inFd, offset, length)
napi_value SysSendfile(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t out_fd = 0;
  int32_t in_fd = 0;
  int64_t offset = 0;
  int64_t length = 0;
  if (!args.Int32(0, &out_fd) || !args.Int32(1, &in_fd) || !args.Int53(2, &offset) ||
      !args.Int53(3, &length)) {
    return nullptr;
  }
  if (offset < 0 || length < 0) return ThrowRange(env, "offset and length are not negative");
  const size_t count = std::min(static_cast<size_t>(length), kMostPerCall);
  return ToValue(env, os::Sendfile(out_fd, in_fd, offset, count));
}

// (fd, out): fills out with pid, uid and gid of who connected, or listened, as words.
napi_value PeerCredentials(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint8_t* out = nullptr;
  size_t length = 0;
  int32_t words[3] = {0, 0, 0};
  if (!args.Int32(0, &fd) || !args.WholeBytes(1, &out, &length)) return nullptr;
  if (length < sizeof words) return ToValue(env, -EINVAL);
  const int error = os::PeerCredentials(fd, words);
  if (error < 0) return ToValue(env, error);
  std::memcpy(out, words, sizeof words);
  return ToValue(env, 0);
}

const Export kPeer[] = {{"peerCredentials", PeerCredentials}};
const Export kFiles[] = {{"sendfile", SysSendfile}};

}  // namespace

void ExportStreams(napi_env env, napi_value exports) {
  ExportAll(env, exports, kPeer, 1);
  if (os::kHasSendfile) ExportAll(env, exports, kFiles, 1);
}

}  // namespace tripoll
