// Winsock under Unix' names: n >= 0 or -errno, the errno that Unix gives in the same case.
#include <algorithm>
#include <climits>
#include <cstring>

#include "address.h"
#include "socket_calls.h"
#include "syscall_counts.h"
#include "windows/net.h"
#include "windows/pipe_calls.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll::os {

namespace {

constexpr socklen_t kIntBytes = sizeof(int);

// The length of Unix' struct ip_mreqn: group, address, index.
constexpr socklen_t kIpMreqnBytes = 12;

// The length of Unix' struct linger, two ints: Windows' own has two shorts.
constexpr socklen_t kUnixLingerBytes = 8;

int LastError() { return FromWinError(static_cast<uint32_t>(WSAGetLastError())); }

bool IsOpenHandle(int fd) {
  // INVALID_SOCKET, as a handle, is the process itself.
  if (ToSocket(fd) == INVALID_SOCKET) return false;
  DWORD flags = 0;
  return GetHandleInformation(reinterpret_cast<HANDLE>(ToSocket(fd)), &flags) != 0;
}

// Kernel handles fit 32 bits, as 32-bit and 64-bit programs share them (Microsoft's "Interprocess
// Communication Between 32-bit and 64-bit Applications"); checked all the same.
int ToFd(SOCKET socket) {
  if (socket == INVALID_SOCKET) return LastError();
  const int fd = static_cast<int>(socket);
  if (fd >= 0 && ToSocket(fd) == socket) return fd;
  static_cast<void>(closesocket(socket));
  return -EMFILE;
}

int ClampLength(size_t length) {
  return static_cast<int>(std::min<size_t>(length, static_cast<size_t>(INT_MAX)));
}

int SetNonblocking(int fd, bool on) {
  u_long value = on ? 1 : 0;
  return Result(fd, ioctlsocket(ToSocket(fd), static_cast<long>(FIONBIO), &value));
}

// Winsock counts users: the first call of a process starts it. Node has done so long before.
int StartWinsock() {
  static const int error = [] {
    WSADATA data;
    return FromWinError(static_cast<uint32_t>(WSAStartup(MAKEWORD(2, 2), &data)));
  }();
  return error;
}

int SetInheritable(int fd, bool on) {
  if (!IsOpenHandle(fd)) return -EBADF;
  const BOOL ok = SetHandleInformation(reinterpret_cast<HANDLE>(ToSocket(fd)), HANDLE_FLAG_INHERIT,
                                       on ? HANDLE_FLAG_INHERIT : 0);
  return ok != 0 ? 0 : FromWinError(GetLastError());
}

void ToUnixLinger(void* value) {
  linger native{};
  std::memcpy(&native, value, sizeof native);
  const int parts[2] = {native.l_onoff, native.l_linger};
  std::memcpy(value, parts, sizeof parts);
}

// The error that a socket holds is a code of Winsock.
void ToUnixError(void* value) {
  int code = 0;
  std::memcpy(&code, value, sizeof code);
  code = -FromWinError(static_cast<uint32_t>(code));
  std::memcpy(value, &code, sizeof code);
}

// As on Unix: a connected socket hears that a port is closed (SIO_UDP_CONNRESET), and no other. Of
// a datagram that was too long under way (SIO_UDP_NETRESET) none hears; mswsock.h of mingw lacks
// it.
void TellUnreachable(int fd, bool connected) {
  constexpr DWORD kNetReset = _WSAIOW(IOC_VENDOR, 15);
  BOOL port = connected ? TRUE : FALSE;
  BOOL time = FALSE;
  DWORD bytes = 0;
  // A system that refuses has nothing to turn off: Wine does not know the second.
  static_cast<void>(WSAIoctl(ToSocket(fd), SIO_UDP_CONNRESET, &port, sizeof port, nullptr, 0,
                             &bytes, nullptr, nullptr));
  static_cast<void>(
      WSAIoctl(ToSocket(fd), kNetReset, &time, sizeof time, nullptr, 0, &bytes, nullptr, nullptr));
}

int CloseAfter(int fd, int error) {
  static_cast<void>(closesocket(ToSocket(fd)));
  return error;
}

}  // namespace

SOCKET ToSocket(int fd) {
  // The system ignores the two low bits: four numbers would name one socket, and be registered four
  // times (T04).
  if (fd < 0 || (fd & 3) != 0) return INVALID_SOCKET;
  return static_cast<SOCKET>(static_cast<uint32_t>(fd));
}

// Winsock says WSAENOTSOCK of a closed handle too, where Unix tells them apart.
int ErrorOf(int fd) {
  const int error = LastError();
  return error == -ENOTSOCK && !IsOpenHandle(fd) ? -EBADF : error;
}

int Result(int fd, int value) { return value == SOCKET_ERROR ? ErrorOf(fd) : value; }

bool IsDatagram(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  // Not by way of Result: it is asked when a call has failed, whose code is not to be forgotten.
  return getsockopt(ToSocket(fd), SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &length) ==
             0 &&
         type == SOCK_DGRAM;
}

int CheckSocket(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return Getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
}

int Socket(int domain, int type, int protocol) {
  CountCall(Syscall::kSocket);
  const int started = StartWinsock();
  if (started < 0) return started;
  // Windows keeps a handle's inheritance in the call that makes it: no other thread's child can
  // have it in between.
  DWORD flags = WSA_FLAG_OVERLAPPED;
  if ((type & SOCK_CLOEXEC) != 0) flags |= WSA_FLAG_NO_HANDLE_INHERIT;
  const SOCKET socket =
      WSASocketW(domain, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol, nullptr, 0, flags);
  const int fd = ToFd(socket);
  if (fd >= 0 && (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_DGRAM) TellUnreachable(fd, false);
  if (fd < 0 || (type & SOCK_NONBLOCK) == 0) return fd;
  const int error = SetNonblocking(fd, true);
  return error < 0 ? CloseAfter(fd, error) : fd;
}

int Bind(int fd, const sockaddr* address, socklen_t length) {
  CountCall(Syscall::kBind);
  return Result(fd, bind(ToSocket(fd), address, length));
}

int Listen(int fd, int backlog) {
  CountCall(Syscall::kListen);
  return Result(fd, listen(ToSocket(fd), backlog));
}

int Accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  CountCall(Syscall::kAccept);
  if (MayBePipe()) {
    if (const auto pipe = PipeAccept(fd)) return *pipe;
  }
  const SOCKET socket = accept(ToSocket(fd), address, length);
  if (socket == INVALID_SOCKET) return ErrorOf(fd);
  const int accepted = ToFd(socket);
  if (accepted < 0) return accepted;
  // It has its listener's properties, not those that were asked for.
  int error = SetNonblocking(accepted, (flags & SOCK_NONBLOCK) != 0);
  if (error == 0) error = SetInheritable(accepted, (flags & SOCK_CLOEXEC) == 0);
  return error < 0 ? CloseAfter(accepted, error) : accepted;
}

int Connect(int fd, const sockaddr* address, socklen_t length) {
  CountCall(Syscall::kConnect);
  const int error = Result(fd, connect(ToSocket(fd), address, length));
  // A non-blocking stream's is never done at once. AF_UNSPEC takes a datagram socket's peer away,
  // as on Unix.
  if (error == 0 && IsDatagram(fd)) TellUnreachable(fd, address->sa_family != AF_UNSPEC);
  return error == -EAGAIN ? -EINPROGRESS : error;
}

int Recv(int fd, void* buffer, size_t length, int flags) {
  if (MayBePipe()) {
    if (const auto result = PipeRecv(fd, buffer, length, flags)) return *result;
  }
  const int received = recv(ToSocket(fd), static_cast<char*>(buffer), ClampLength(length), flags);
  if (received != SOCKET_ERROR) return received;
  const int code = WSAGetLastError();
  // Its own reading side was shut down: the end, on Unix.
  if (code == WSAESHUTDOWN) return 0;
  // A datagram that did not fit: the buffer is full, the rest is gone, as on Unix.
  if (code == WSAEMSGSIZE) return ClampLength(length);
  return ErrorOfReceive(fd);
}

int Send(int fd, const void* buffer, size_t length, int flags) {
  if (MayBePipe()) {
    const iovec whole{const_cast<void*>(buffer), length};
    if (const auto result = PipeSend(fd, &whole, 1)) return *result;
  }
  const auto bytes = static_cast<int>(std::min<size_t>(length, kMostPerSend));
  const int sent = send(ToSocket(fd), static_cast<const char*>(buffer), bytes, flags);
  return sent == SOCKET_ERROR ? ErrorOfSend(fd, false) : sent;
}

int Shutdown(int fd, int how) {
  CountCall(Syscall::kShutdown);
  if (MayBePipe()) {
    if (const auto result = PipeShutdown(fd, how)) return *result;
  }
  return Result(fd, shutdown(ToSocket(fd), how));
}

int Getsockname(int fd, sockaddr* address, socklen_t* length) {
  CountCall(Syscall::kOther);
  const int error = Result(fd, getsockname(ToSocket(fd), address, length));
  if (error == 0) *length = UnixNameLength(address, *length);
  if (error != -EINVAL) return error;
  // Windows has no name for a socket before its bind; Unix says the wildcard address and port 0.
  WSAPROTOCOL_INFOW info{};
  socklen_t size = sizeof info;
  if (Getsockopt(fd, SOL_SOCKET, SO_PROTOCOL_INFOW, &info, &size) < 0) return error;
  std::memset(address, 0, static_cast<size_t>(*length));
  address->sa_family = static_cast<ADDRESS_FAMILY>(info.iAddressFamily);
  *length = UnixNameLength(address, *length);
  return 0;
}

int Getpeername(int fd, sockaddr* address, socklen_t* length) {
  CountCall(Syscall::kOther);
  const int error = Result(fd, getpeername(ToSocket(fd), address, length));
  if (error == 0) *length = UnixNameLength(address, *length);
  return error;
}

int Setsockopt(int fd, int level, int name, const void* value, socklen_t length) {
  CountCall(Syscall::kSetsockopt);
  if (level == SOL_SOCKET && name == SO_LINGER && length == kUnixLingerBytes) {
    int parts[2];
    std::memcpy(parts, value, sizeof parts);
    linger native{};
    native.l_onoff = static_cast<u_short>(parts[0] != 0 ? 1 : 0);
    native.l_linger = static_cast<u_short>(std::clamp(parts[1], 0, static_cast<int>(USHRT_MAX)));
    return Result(fd, setsockopt(ToSocket(fd), level, name, reinterpret_cast<const char*>(&native),
                                 sizeof native));
  }
  if (level == IPPROTO_IP && name == IP_MULTICAST_IF && length == kIpMreqnBytes)
    return SetMulticastInterface(fd, value);
  const int error =
      Result(fd, setsockopt(ToSocket(fd), level, name, static_cast<const char*>(value), length));
  if (error == 0 && level == IPPROTO_IPV6 && name == IPV6_PKTINFO) {
    // On Unix it tells of IPv4 too; a socket of IPv6 alone refuses, and needs none.
    static_cast<void>(
        setsockopt(ToSocket(fd), IPPROTO_IP, IP_PKTINFO, static_cast<const char*>(value), length));
  }
  return error;
}

int Getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  CountCall(Syscall::kGetsockopt);
  if (MayBePipe() && level == SOL_SOCKET && name == SO_ERROR && *length == kIntBytes) {
    if (const auto error = PipeTakeError(fd)) {
      std::memcpy(value, &*error, kIntBytes);
      return 0;
    }
  }
  const socklen_t capacity = *length;
  const int error =
      Result(fd, getsockopt(ToSocket(fd), level, name, static_cast<char*>(value), length));
  if (error < 0) return error;
  if (level == SOL_SOCKET && name == SO_LINGER && capacity >= kUnixLingerBytes) {
    ToUnixLinger(value);
    *length = kUnixLingerBytes;
  } else if (*length == 1 && capacity >= kIntBytes) {
    // Some options that are flags have one byte; Unix has an int.
    std::memset(static_cast<char*>(value) + 1, 0, kIntBytes - 1);
    *length = kIntBytes;
  } else if (level == SOL_SOCKET && name == SO_ERROR && *length >= kIntBytes) {
    ToUnixError(value);
  }
  return 0;
}

// A socket is no file here: reading and writing are receiving and sending, and of files nothing.
int Read(int fd, void* buffer, size_t length) {
  CountCall(Syscall::kRecv);
  return Recv(fd, buffer, length, 0);
}
int Write(int fd, const void* buffer, size_t length) {
  CountCall(Syscall::kSend);
  return Send(fd, buffer, length, 0);
}
int Writev(int fd, const iovec* buffers, int count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(buffers);
  message.msg_iovlen = static_cast<size_t>(count);
  return Sendmsg(fd, &message, 0);
}

// Windows can set O_NONBLOCK and not ask for it.
int Fcntl(int fd, int command, int argument) {
  CountCall(Syscall::kOther);
  if (!IsOpenHandle(fd)) return -EBADF;
  DWORD flags = 0;
  switch (command) {
    case F_SETFL:
      return SetNonblocking(fd, (argument & O_NONBLOCK) != 0);
    case F_GETFD:
      if (GetHandleInformation(reinterpret_cast<HANDLE>(ToSocket(fd)), &flags) == 0)
        return FromWinError(GetLastError());
      return (flags & HANDLE_FLAG_INHERIT) != 0 ? 0 : FD_CLOEXEC;
    case F_SETFD:
      return SetInheritable(fd, (argument & FD_CLOEXEC) == 0);
    default:
      return -ENOSYS;
  }
}

int Pipe2(int /*fds*/[2], int /*flags*/) { return -ENOSYS; }

// What is no socket is left alone.
int Close(int fd) {
  CountCall(Syscall::kClose);
  if (MayBePipe()) {
    if (const auto result = PipeClose(fd)) return *result;
  }
  return Result(fd, closesocket(ToSocket(fd)));
}

}  // namespace tripoll::os
