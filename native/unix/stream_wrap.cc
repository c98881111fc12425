// What streams have besides reading and writing: a file's bytes without a copy, and who is at the
// other end.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "call_wrap.h"
#include "os_calls.h"
#include "syscall_counts.h"
#include "unix/transfer_limit.h"

namespace tripoll {

namespace {

napi_value Sendfile(napi_env env, int out_fd, int in_fd, int64_t offset, int64_t length) {
  if (offset < 0 || length < 0) return ThrowRange(env, "offset and length are not negative");
  const size_t count = std::min(static_cast<size_t>(length), kMostPerCall);
  return ToValue(env, CountsOfThread().Written(os::Sendfile(out_fd, in_fd, offset, count)));
}

// Fills out with pid, uid and gid of who connected, or listened, as words.
int PeerCredentials(int fd, Span out) {
  int32_t words[3] = {0, 0, 0};
  if (out.length < sizeof words) return -EINVAL;
  const int error = os::PeerCredentials(fd, words);
  if (error == 0) std::memcpy(out.data, words, sizeof words);
  return error;
}

const Export kPeer[] = {{"peerCredentials", Call<PeerCredentials>}};
const Export kFiles[] = {{"sendfile", Call<Sendfile>}};

}  // namespace

void ExportStreams(napi_env env, napi_value exports) {
  ExportAll(env, exports, kPeer);
  if (os::kHasSendfile) ExportAll(env, exports, kFiles);
}

}  // namespace tripoll
