// Messages with addresses of any family and with fds, for JavaScript. Addresses are the system's
// own bytes (struct sockaddr), numbers are 32-bit words in the caller's Uint8Array.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "address.h"
#include "env_wrap.h"
#include "unix/messages.h"

namespace tripoll {

namespace {

constexpr size_t kWord = sizeof(int32_t);
// Words of a control block before its fds: flags, fds kept, fds closed, length of the name.
constexpr size_t kControlWords = 4;

bool ReadSpan(const Args& args, size_t index, Span* span) {
  return args.WholeBytes(index, &span->data, &span->length);
}

using AddressCall = int (*)(int fd, const sockaddr* address, socklen_t length);

napi_value CallWithBytes(napi_env env, napi_callback_info info, AddressCall call) {
  const Args args(env, info);
  int32_t fd = 0;
  Span bytes;
  if (!args.Int32(0, &fd) || !ReadSpan(args, 1, &bytes)) return nullptr;
  SocketAddress address;
  if (bytes.length > sizeof address.storage) return ToValue(env, -ENAMETOOLONG);
  if (bytes.length > 0) std::memcpy(&address.storage, bytes.data, bytes.length);
  return ToValue(env, call(fd, address.get(), static_cast<socklen_t>(bytes.length)));
}

napi_value BindBytes(napi_env env, napi_callback_info info) {
  return CallWithBytes(env, info, os::Bind);
}
napi_value ConnectBytes(napi_env env, napi_callback_info info) {
  return CallWithBytes(env, info, os::Connect);
}

// (fd, 0 for its own or 1 for its peer's, out): the length of the address, of which as much is in
// out as fits.
napi_value NameBytes(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t is_peer = 0;
  Span out;
  if (!args.Int32(0, &fd) || !args.Int32(1, &is_peer) || !ReadSpan(args, 2, &out)) return nullptr;
  SocketAddress address;
  const auto call = is_peer != 0 ? os::Getpeername : os::Getsockname;
  const int error = call(fd, address.get(), &address.length);
  if (error < 0) return ToValue(env, error);
  const size_t length = std::min(static_cast<size_t>(address.length), sizeof address.storage);
  const size_t fitting = std::min(length, out.length);
  if (fitting > 0) std::memcpy(out.data, &address.storage, fitting);
  return ToValue(env, static_cast<int32_t>(length));
}

// (family, address, port, scopeId, out): an internet address as bytes; their number.
napi_value ToSockaddr(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  InternetAddress from;
  uint32_t port = 0;
  Span out;
  if (!args.Int32(0, &from.family) || !args.Text(1, &from.address) || !args.Uint32(2, &port) ||
      !args.Uint32(3, &from.scope_id) || !ReadSpan(args, 4, &out)) {
    return nullptr;
  }
  if (port > UINT16_MAX) return ThrowRange(env, "a port is at most 65535");
  from.port = static_cast<uint16_t>(port);
  SocketAddress address;
  const int error = ParseAddress(from, &address);
  if (error < 0) return ToValue(env, error);
  if (address.length > out.length) return ToValue(env, -ENOBUFS);
  std::memcpy(out.data, &address.storage, address.length);
  return ToValue(env, static_cast<int32_t>(address.length));
}

// (bytes, out): fills out with { family, address, port, scopeId }.
napi_value FromSockaddr(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  Span bytes;
  if (!ReadSpan(args, 0, &bytes)) return nullptr;
  SocketAddress address;
  InternetAddress name;
  if (bytes.length > 0) {
    std::memcpy(&address.storage, bytes.data, std::min(bytes.length, sizeof address.storage));
  }
  const int error = FormatAddress(address, &name);
  if (error < 0) return ToValue(env, error);
  // A setter or a proxy may throw here: then that exception is what the caller gets.
  if (!SetNumber(env, args[1], "family", name.family) ||
      !SetText(env, args[1], "address", name.address) ||
      !SetNumber(env, args[1], "port", name.port) ||
      !SetNumber(env, args[1], "scopeId", name.scope_id)) {
    return ThrowType(env, "expected an object to fill");
  }
  return ToValue(env, 0);
}

// Fills the caller's control block. The fds are the environment's from here on: closed at its end,
// if by then they are nobody's (T50).
int ReceiveInto(const Args& args, int fd, Span buffer, Span name, int flags, Span control) {
  const size_t words = control.length / kWord;
  if (words < kControlWords) return -EINVAL;
  ReceivedMessage received;
  const int capacity = static_cast<int>(std::min<size_t>(words - kControlWords, kMostFds));
  const int result = ReceiveMessage(fd, buffer, name, flags, capacity, &received);
  if (result < 0) return result;
  const int32_t head[kControlWords] = {received.flags, received.fd_count, received.closed_count,
                                       static_cast<int32_t>(received.name_length)};
  std::memcpy(control.data, head, sizeof head);
  for (int i = 0; i < received.fd_count; i++) args.environment()->fds.Insert(received.fds[i]);
  if (received.fd_count > 0) {
    std::memcpy(control.data + sizeof head, received.fds,
                kWord * static_cast<size_t>(received.fd_count));
  }
  return result;
}

// (fd, buffer, flags, control, name)
napi_value RecvMessage(napi_env env, napi_callback_info info) {
  const Args args(env, info, 5);
  int32_t fd = 0;
  int32_t flags = 0;
  Span buffer;
  Span control;
  Span name;
  if (!args.Int32(0, &fd) || !ReadSpan(args, 1, &buffer) || !args.Flags(2, &flags) ||
      !ReadSpan(args, 3, &control) || !ReadSpan(args, 4, &name)) {
    return nullptr;
  }
  return ToValue(env, ReceiveInto(args, fd, buffer, name, flags, control));
}

// (fd, control): into the arena.
napi_value RecvMessageArena(napi_env env, napi_callback_info info) {
  const Args args(env, info, 2);
  int32_t fd = 0;
  Span control;
  if (!args.Int32(0, &fd) || !ReadSpan(args, 1, &control)) return nullptr;
  SharedBlock* arena = args.environment()->arena;
  if (arena == nullptr) return ToValue(env, -ENOBUFS);
  return ToValue(env, ReceiveInto(args, fd, {arena->data(), arena->bytes()}, {}, 0, control));
}

// (fd, buffer, offset, length, fds as words, name)
napi_value SendMessageWithFds(napi_env env, napi_callback_info info) {
  const Args args(env, info, 6);
  int32_t fd = 0;
  Span buffer;
  Span words;
  Span name;
  if (!args.Int32(0, &fd) || !args.Bytes(1, &buffer.data, &buffer.length) ||
      !ReadSpan(args, 4, &words) || !ReadSpan(args, 5, &name)) {
    return nullptr;
  }
  int fds[kMostFds];
  const size_t count = words.length / kWord;
  if (count > kMostFds) return ToValue(env, -EINVAL);
  if (count > 0) std::memcpy(fds, words.data, count * kWord);
  return ToValue(env, SendMessage(fd, buffer, name, fds, static_cast<int>(count)));
}

const Export kExports[] = {
    {"bindBytes", BindBytes},
    {"connectBytes", ConnectBytes},
    {"nameBytes", NameBytes},
    {"recvMessage", RecvMessage},
    {"recvMessageArena", RecvMessageArena},
    {"sendMessage", SendMessageWithFds},
    {"toSockaddr", ToSockaddr},
    {"fromSockaddr", FromSockaddr},
};

}  // namespace

void ExportMessages(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
}

}  // namespace tripoll
