// Socket and fd syscalls for JavaScript: integers or a checked Uint8Array in, n or -errno out. The
// hot ones allocate nothing.
#include <algorithm>
#include <climits>

#include "address.h"
#include "address_wrap.h"
#include "env_wrap.h"
#include "os_errno.h"
#include "socket_calls.h"

namespace tripoll {

namespace {

// Reading more at once than this would not make a stream cheaper, and libuv's own buffer has this
// size.
constexpr size_t kArenaBytes = size_t{64} * 1024;

// As many buffers as one vectored write takes; more are sent by the next. Linux's own UIO_FASTIOV
// is 8: beyond it the kernel allocates.
constexpr uint32_t kMostVectors = 64;

int Own(const Args& args, int fd) {
  if (fd >= 0) args.environment()->fds.Insert(fd);
  return fd;
}

napi_value SysSocket(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t domain = 0;
  int32_t type = 0;
  int32_t protocol = 0;
  if (!args.Int32(0, &domain) || !args.Flags(1, &type) || !args.Int32(2, &protocol)) return nullptr;
  return ToValue(env, Own(args, os::Socket(domain, type, protocol)));
}

// (fd, family, address, port, scopeId) at index 1 and on.
bool ReadAddress(const Args& args, SocketAddress* address, int* error) {
  InternetAddress from;
  uint32_t port = 0;
  if (!args.Int32(1, &from.family) || !args.Text(2, &from.address) || !args.Uint32(3, &port) ||
      !args.Uint32(4, &from.scope_id)) {
    return false;
  }
  if (port > UINT16_MAX) {
    ThrowRange(args.env(), "a port is at most 65535");
    return false;
  }
  from.port = static_cast<uint16_t>(port);
  *error = ParseAddress(from, address);
  return true;
}

napi_value IpVersion(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  InternetAddress candidate;
  if (!args.Text(0, &candidate.address)) return nullptr;
  SocketAddress parsed;
  candidate.family = AF_INET;
  if (ParseAddress(candidate, &parsed) == 0) return ToValue(env, 4);
  candidate.family = AF_INET6;
  return ToValue(env, ParseAddress(candidate, &parsed) == 0 ? 6 : 0);
}

using AddressCall = int (*)(int fd, const sockaddr* address, socklen_t length);

napi_value CallWithAddress(napi_env env, napi_callback_info info, AddressCall call) {
  const Args args(env, info);
  int32_t fd = 0;
  SocketAddress address;
  int error = 0;
  if (!args.Int32(0, &fd) || !ReadAddress(args, &address, &error)) return nullptr;
  return ToValue(env, error < 0 ? error : call(fd, address.get(), address.length));
}

napi_value SysBind(napi_env env, napi_callback_info info) {
  return CallWithAddress(env, info, os::Bind);
}
napi_value SysConnect(napi_env env, napi_callback_info info) {
  return CallWithAddress(env, info, os::Connect);
}

napi_value SysListen(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t backlog = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &backlog)) return nullptr;
  return ToValue(env, os::Listen(fd, backlog));
}

napi_value SysAccept4(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t flags = 0;
  if (!args.Int32(0, &fd) || !args.Flags(1, &flags)) return nullptr;
  return ToValue(env, Own(args, os::Accept4(fd, nullptr, nullptr, flags)));
}

using NameCall = int (*)(int fd, sockaddr* address, socklen_t* length);

// Fills the caller's object: { family, address, port, scopeId }.
napi_value FillName(napi_env env, napi_callback_info info, NameCall call) {
  const Args args(env, info);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  SocketAddress address;
  const int error = call(fd, address.get(), &address.length);
  return error < 0 ? ToValue(env, error) : FillAddress(args, 1, address);
}

napi_value SysGetsockname(napi_env env, napi_callback_info info) {
  return FillName(env, info, os::Getsockname);
}
napi_value SysGetpeername(napi_env env, napi_callback_info info) {
  return FillName(env, info, os::Getpeername);
}

napi_value SysRecv(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t flags = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.Bytes(1, &data, &length) || !args.Flags(4, &flags))
    return nullptr;
  return ToValue(env, os::Recv(fd, data, length, flags));
}

napi_value SysSend(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t flags = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.Bytes(1, &data, &length) || !args.Flags(4, &flags))
    return nullptr;
  // A peer that has gone is an EPIPE, never a signal (T43).
  return ToValue(env, os::Send(fd, data, length, flags | MSG_NOSIGNAL));
}

napi_value SysRead(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.Bytes(1, &data, &length)) return nullptr;
  return ToValue(env, os::Read(fd, data, length));
}

napi_value SysWrite(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.Bytes(1, &data, &length)) return nullptr;
  return ToValue(env, os::Write(fd, data, length));
}

// (fd, [Uint8Array, ...], offset into the first, count): the array may be longer than count.
bool ReadVectors(const Args& args, iovec* vectors, uint32_t* count) {
  bool is_array = false;
  uint32_t length = 0;
  uint32_t offset = 0;
  if (napi_is_array(args.env(), args[1], &is_array) != napi_ok || !is_array ||
      napi_get_array_length(args.env(), args[1], &length) != napi_ok) {
    ThrowType(args.env(), "expected an array of Uint8Arrays");
    return false;
  }
  if (!args.Uint32(2, &offset) || !args.Uint32(3, count)) return false;
  *count = std::min({*count, length, kMostVectors});
  // All elements before any memory: an element may be a getter, and that may detach an earlier one.
  napi_value elements[kMostVectors];
  for (uint32_t i = 0; i < *count; i++) {
    if (napi_get_element(args.env(), args[1], i, &elements[i]) != napi_ok) return false;
  }
  for (uint32_t i = 0; i < *count; i++) {
    napi_typedarray_type type{};
    void* data = nullptr;
    size_t bytes = 0;
    if (napi_get_typedarray_info(args.env(), elements[i], &type, &bytes, &data, nullptr, nullptr) !=
            napi_ok ||
        type != napi_uint8_array) {
      ThrowType(args.env(), "expected an array of Uint8Arrays");
      return false;
    }
    if (i == 0 && offset > bytes) {
      ThrowRange(args.env(), "offset reaches past the end of the first Uint8Array");
      return false;
    }
    const uint32_t skip = i == 0 ? offset : 0;
    vectors[i] = {static_cast<uint8_t*>(data) + skip, bytes - skip};
  }
  return true;
}

napi_value SysWritev(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  iovec vectors[kMostVectors];
  uint32_t count = 0;
  if (!args.Int32(0, &fd) || !ReadVectors(args, vectors, &count)) return nullptr;
  return ToValue(env, os::Writev(fd, vectors, static_cast<int>(count)));
}

// writev for a socket: the same, and without SIGPIPE (T43).
napi_value SysSendv(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  iovec vectors[kMostVectors];
  uint32_t count = 0;
  if (!args.Int32(0, &fd) || !ReadVectors(args, vectors, &count)) return nullptr;
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);  // an int on the BSDs
  return ToValue(env, os::Sendmsg(fd, &message, kSendFlags));
}

// A new arena for this environment, as an ArrayBuffer that RecvArena fills and SendArena sends
// from.
napi_value ArenaCreate(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  SharedBlock* block = SharedBlock::Create(kArenaBytes);
  if (block == nullptr) return ToValue(env, -ENOMEM);
  napi_value buffer = ToArrayBuffer(env, block);
  if (buffer == nullptr) {
    block->Release();
    return ToValue(env, -ENOTSUP);
  }
  Environment* environment = args.environment();
  if (environment->arena != nullptr) environment->arena->Release();
  environment->arena = block;
  return buffer;
}

// The whole of a buffer, which spares a hot call three arguments.
napi_value SysRecvInto(napi_env env, napi_callback_info info) {
  const Args args(env, info, 2);
  int32_t fd = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.WholeBytes(1, &data, &length)) return nullptr;
  return ToValue(env, os::Recv(fd, data, length, MSG_DONTWAIT));
}

napi_value SysSendFrom(napi_env env, napi_callback_info info) {
  const Args args(env, info, 2);
  int32_t fd = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.WholeBytes(1, &data, &length)) return nullptr;
  return ToValue(env, os::Send(fd, data, length, kSendFlags));
}

napi_value SysRecvArena(napi_env env, napi_callback_info info) {
  const Args args(env, info, 1);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  SharedBlock* arena = args.environment()->arena;
  if (arena == nullptr) return ToValue(env, -ENOBUFS);
  return ToValue(env, os::Recv(fd, arena->data(), arena->bytes(), MSG_DONTWAIT));
}

napi_value SysSendArena(napi_env env, napi_callback_info info) {
  const Args args(env, info, 2);
  int32_t fd = 0;
  uint32_t length = 0;
  if (!args.Int32(0, &fd) || !args.Uint32(1, &length)) return nullptr;
  SharedBlock* arena = args.environment()->arena;
  if (arena == nullptr) return ToValue(env, -ENOBUFS);
  if (length > arena->bytes()) return ThrowRange(env, "length reaches past the end of the arena");
  return ToValue(env, os::Send(fd, arena->data(), length, kSendFlags));
}

napi_value SysFcntl(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t command = 0;
  int32_t argument = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &command) || !args.Flags(2, &argument)) return nullptr;
  // Commands that take a pointer would read the integer as one.
  if (command != F_GETFD && command != F_SETFD && command != F_GETFL && command != F_SETFL &&
      command != F_DUPFD && command != F_DUPFD_CLOEXEC) {
    return ToValue(env, -EINVAL);
  }
  const int result = os::Fcntl(fd, command, argument);
  const bool duplicates = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
  return ToValue(env, duplicates ? Own(args, result) : result);
}

// Whether the caller's array took the number: a frozen one refuses it without a word.
bool FillElement(napi_env env, napi_value out, uint32_t index, int value) {
  napi_value number = ToValue(env, value);
  napi_value taken = nullptr;
  bool same = false;
  return number != nullptr && napi_set_element(env, out, index, number) == napi_ok &&
         napi_get_element(env, out, index, &taken) == napi_ok &&
         napi_strict_equals(env, taken, number, &same) == napi_ok && same;
}

// Fills the caller's array with the two fds. Where it does not take them nobody would know them.
napi_value FillPair(const Args& args, napi_value out, int error, const int fds[2]) {
  const napi_env env = args.env();
  if (error < 0) return ToValue(env, error);
  Own(args, fds[0]);
  Own(args, fds[1]);
  if (FillElement(env, out, 0, fds[0]) && FillElement(env, out, 1, fds[1])) return ToValue(env, 0);
  for (int i = 0; i < 2; i++) {
    // Not one that a setter of the caller's has closed already.
    if (args.environment()->fds.Remove(fds[i])) static_cast<void>(os::Close(fds[i]));
  }
  // Where a setter threw, that exception is pending and stays.
  return ThrowType(env, "expected an array that can be filled");
}

bool CheckArray(const Args& args, size_t index) {
  bool is_array = false;
  if (napi_is_array(args.env(), args[index], &is_array) == napi_ok && is_array) return true;
  ThrowType(args.env(), "expected an array to fill");
  return false;
}

napi_value SysPipe2(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t flags = 0;
  if (!args.Flags(0, &flags) || !CheckArray(args, 1)) return nullptr;
  int fds[2];
  const int error = os::Pipe2(fds, flags);
  return FillPair(args, args[1], error, fds);
}

napi_value SysSocketpair(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t domain = 0;
  int32_t type = 0;
  int32_t protocol = 0;
  if (!args.Int32(0, &domain) || !args.Flags(1, &type) || !args.Int32(2, &protocol) ||
      !CheckArray(args, 3)) {
    return nullptr;
  }
  int fds[2];
  const int error = os::Socketpair(domain, type, protocol, fds);
  return FillPair(args, args[3], error, fds);
}

napi_value SysShutdown(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t how = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &how)) return nullptr;
  return ToValue(env, os::Shutdown(fd, how));
}

napi_value SysClose(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  args.environment()->fds.Remove(fd);
  const int error = os::Close(fd);
  // EINTR has closed: another try could close a stranger's fd (T42).
  return ToValue(env, error == -EINTR ? 0 : error);
}

// The number is a stranger's by now: its user closed it behind us. Nobody closes it here any more.
napi_value DisownFd(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  args.environment()->fds.Remove(fd);
  return ToValue(env, 0);
}

// An fd that was opened elsewhere and given to us: ours to close from now on.
napi_value OwnFd(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  // Also keeps the table from growing to a number that cannot be an fd.
  const int flags = os::Fcntl(fd, F_GETFD, 0);
  if (flags < 0) return ToValue(env, flags);
  static_cast<void>(Own(args, fd));
  return ToValue(env, 0);
}

napi_value SysSetsockopt(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t level = 0;
  int32_t name = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &level) || !args.Int32(2, &name) ||
      !args.WholeBytes(3, &data, &length)) {
    return nullptr;
  }
  return ToValue(env, os::Setsockopt(fd, level, name, data, static_cast<socklen_t>(length)));
}

napi_value SysGetsockopt(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t level = 0;
  int32_t name = 0;
  uint8_t* data = nullptr;
  size_t size = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &level) || !args.Int32(2, &name) ||
      !args.WholeBytes(3, &data, &size)) {
    return nullptr;
  }
  auto length = static_cast<socklen_t>(size);
  const int error = os::Getsockopt(fd, level, name, data, &length);
  return ToValue(env, error < 0 ? error : static_cast<int32_t>(length));
}

// The common integer option, without a buffer.
napi_value SysSetsockoptInt(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t level = 0;
  int32_t name = 0;
  int32_t value = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &level) || !args.Int32(2, &name) ||
      !args.Flags(3, &value)) {
    return nullptr;
  }
  return ToValue(env, os::Setsockopt(fd, level, name, &value, sizeof value));
}

// The error that a socket holds (SO_ERROR), which reading clears: 0, or -errno.
napi_value SysTakeSocketError(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  int value = 0;
  socklen_t length = sizeof value;
  const int error = os::Getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length);
  return ToValue(env, error < 0 ? error : -value);
}

const Export kExports[] = {
    {"socket", SysSocket},
    {"ipVersion", IpVersion},
    {"bind", SysBind},
    {"connect", SysConnect},
    {"listen", SysListen},
    {"accept4", SysAccept4},
    {"getsockname", SysGetsockname},
    {"getpeername", SysGetpeername},
    {"recv", SysRecv},
    {"send", SysSend},
    {"read", SysRead},
    {"write", SysWrite},
    {"writev", SysWritev},
    {"sendv", SysSendv},
    {"arenaCreate", ArenaCreate},
    {"recvInto", SysRecvInto},
    {"sendFrom", SysSendFrom},
    {"recvArena", SysRecvArena},
    {"sendArena", SysSendArena},
    {"fcntl", SysFcntl},
    {"pipe2", SysPipe2},
    {"socketpair", SysSocketpair},
    {"shutdown", SysShutdown},
    {"close", SysClose},
    {"disownFd", DisownFd},
    {"ownFd", OwnFd},
    {"setsockopt", SysSetsockopt},
    {"getsockopt", SysGetsockopt},
    {"setsockoptInt", SysSetsockoptInt},
    {"takeSocketError", SysTakeSocketError},
};

}  // namespace

void ExportSys(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
}

}  // namespace tripoll
