// Bytes that go from fd to fd, or out of memory that the kernel borrows, without a copy: sendfile,
// splice, MSG_ZEROCOPY.
#include <fcntl.h>
// Before <linux/errqueue.h>, which uses struct timespec and does not say where it comes from: glibc
// brings it along, musl does not.
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "call_wrap.h"
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

// One of the two is a pipe.
int Splice(int in_fd, int out_fd, uint32_t length) {
  return os::Splice(in_fd, out_fd, std::min<size_t>(length, kMostPerCall));
}

// A state has 8 bytes.
napi_value SpliceRelay(napi_env env, int from, int pipe_write, int pipe_read, int to, uint32_t most,
                       Span state) {
  RelayState result;
  if (state.length < sizeof result) return ThrowRange(env, "the state has 8 bytes");
  const int taken = RunRelay({from, pipe_write, pipe_read, to, most}, &result);
  std::memcpy(state.data, &result, sizeof result);
  return ToValue(env, taken);
}

// What the pipe holds from now on, or -errno; EPERM above the user's limit.
int SetPipeSize(int fd, int bytes) { return os::Fcntl(fd, F_SETPIPE_SZ, bytes); }

void Unmap(napi_env /*env*/, void* /*data*/, void* hint) {
  auto* mapping = static_cast<Mapping*>(hint);
  // There is nobody to tell.
  static_cast<void>(os::UnmapMemory(mapping->memory, mapping->bytes));
  delete mapping;
}

// An ArrayBuffer of native memory, or -errno.
napi_value ZeroCopyCreate(napi_env env, uint32_t bytes) {
  if (bytes == 0 || bytes > kMostZeroCopyBytes) return ToValue(env, -EINVAL);
  auto mapping = std::make_unique<Mapping>(Mapping{nullptr, bytes});
  const int error = os::MapMemory(bytes, &mapping->memory);
  if (error < 0) return ToValue(env, error);
  napi_value buffer = nullptr;
  // SAFETY: the view alone holds the mapping. The kernel has pinned what it sends from, and keeps
  // those pages whatever becomes of the mapping.
  if (napi_create_external_arraybuffer(env, mapping->memory, bytes, Unmap, mapping.get(),
                                       &buffer) == napi_ok) {
    static_cast<void>(mapping.release());
    return buffer;
  }
  Unmap(env, nullptr, mapping.release());
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

// Takes one entry of the error queue. 1: out has the first and the last send that are done, and
// whether their bytes were copied after all, as words; 0: an entry of another kind; -EAGAIN: there
// is none.
napi_value TakeZeroCopyNotice(napi_env env, int fd, Span out) {
  uint32_t words[3] = {};
  if (out.length < sizeof words) return ThrowRange(env, "a notice has 12 bytes");
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const int result = os::Recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (result < 0) return ToValue(env, result);
  if (!ReadNotice(message, words)) return ToValue(env, 0);
  std::memcpy(out.data, words, sizeof words);
  return ToValue(env, 1);
}

const Export kExports[] = {
    {"splice", Call<Splice>},
    {"spliceRelay", Call<SpliceRelay>},
    {"setPipeSize", Call<SetPipeSize>},
    {"zeroCopyCreate", Call<ZeroCopyCreate>},
    {"takeZeroCopyNotice", Call<TakeZeroCopyNotice>},
};

}  // namespace

void ExportTransfer(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
