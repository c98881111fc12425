// Bytes that go from fd to fd, or out of memory that the kernel borrows, without a copy: sendfile,
// splice, MSG_ZEROCOPY.
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "env_wrap.h"
#include "linux/splice_relay.h"
#include "os_calls.h"
#include "unix/transfer_limit.h"

namespace tripoll {

namespace {

// A page-aligned mapping of its own: memory that the kernel still sends from when it is freed here
// is never given out again by malloc.
struct Mapping {
  void* memory;
  size_t bytes;
};

// More at once than a socket could take in minutes.
constexpr uint32_t kMostZeroCopyBytes = uint32_t{1} << 28;

// (inFd, outFd, length): one of the two is a pipe.
napi_value SysSplice(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t in_fd = 0;
  int32_t out_fd = 0;
  uint32_t length = 0;
  if (!args.Int32(0, &in_fd) || !args.Int32(1, &out_fd) || !args.Uint32(2, &length)) return nullptr;
  return ToValue(env, os::Splice(in_fd, out_fd, std::min<size_t>(length, kMostPerCall)));
}

// (from, pipeWrite, pipeRead, to, mostBytes, state: 8 bytes)
napi_value SpliceRelay(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  Relay relay{};
  uint32_t most = 0;
  uint8_t* state = nullptr;
  size_t state_bytes = 0;
  if (!args.Int32(0, &relay.from) || !args.Int32(1, &relay.pipe_write) ||
      !args.Int32(2, &relay.pipe_read) || !args.Int32(3, &relay.to) || !args.Uint32(4, &most) ||
      !args.WholeBytes(5, &state, &state_bytes)) {
    return nullptr;
  }
  RelayState result;
  if (state_bytes < sizeof result) return ThrowRange(env, "the state has 8 bytes");
  relay.most_bytes = most;
  const int taken = RunRelay(relay, &result);
  std::memcpy(state, &result, sizeof result);
  return ToValue(env, taken);
}

// (fd, bytes): what the pipe holds from now on, or -errno; EPERM above the user's limit.
napi_value SetPipeSize(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t bytes = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &bytes)) return nullptr;
  return ToValue(env, os::Fcntl(fd, F_SETPIPE_SZ, bytes));
}

void Unmap(napi_env /*env*/, void* /*data*/, void* hint) {
  auto* mapping = static_cast<Mapping*>(hint);
  // There is nobody to tell.
  static_cast<void>(os::UnmapMemory(mapping->memory, mapping->bytes));
  delete mapping;
}

// (bytes): an ArrayBuffer of native memory, or -errno.
napi_value ZeroCopyCreate(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  uint32_t bytes = 0;
  if (!args.Uint32(0, &bytes)) return nullptr;
  if (bytes == 0 || bytes > kMostZeroCopyBytes) return ToValue(env, -EINVAL);
  auto* mapping = new Mapping{nullptr, bytes};
  const int error = os::MapMemory(bytes, &mapping->memory);
  napi_value buffer = nullptr;
  if (error < 0) {
    delete mapping;
    return ToValue(env, error);
  }
  // SAFETY: the view alone holds the mapping. The kernel has pinned what it sends from, and keeps
  // those pages whatever becomes of the mapping.
  if (napi_create_external_arraybuffer(env, mapping->memory, bytes, Unmap, mapping, &buffer) ==
      napi_ok) {
    return buffer;
  }
  Unmap(env, nullptr, mapping);
  return ToValue(env, -ENOTSUP);
}

bool ReadNotice(const msghdr& message, uint32_t words[3]) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(const_cast<msghdr*>(&message), header)) {
    const bool is_error = (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
                          (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR);
    if (!is_error) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(header), sizeof error);
    if (error.ee_origin != SO_EE_ORIGIN_ZEROCOPY) continue;
    words[0] = error.ee_info;
    words[1] = error.ee_data;
    words[2] = (error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0 ? 1 : 0;
    return true;
  }
  return false;
}

// (fd, out: 12 bytes): takes one entry of the error queue. 1: `out` has the first and the last send
// that are done, and whether their bytes were copied after all; 0: an entry of another kind;
// -EAGAIN: there is none.
napi_value TakeZeroCopyNotice(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint8_t* out = nullptr;
  size_t out_bytes = 0;
  uint32_t words[3] = {};
  if (!args.Int32(0, &fd) || !args.WholeBytes(1, &out, &out_bytes)) return nullptr;
  if (out_bytes < sizeof words) return ThrowRange(env, "a notice has 12 bytes");
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const int result = os::Recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (result < 0) return ToValue(env, result);
  if (!ReadNotice(message, words)) return ToValue(env, 0);
  std::memcpy(out, words, sizeof words);
  return ToValue(env, 1);
}

const Export kExports[] = {
    {"splice", SysSplice},
    {"spliceRelay", SpliceRelay},
    {"setPipeSize", SetPipeSize},
    {"zeroCopyCreate", ZeroCopyCreate},
    {"takeZeroCopyNotice", TakeZeroCopyNotice},
};

}  // namespace

void ExportTransfer(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
}

}  // namespace tripoll
