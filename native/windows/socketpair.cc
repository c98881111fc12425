// socketpair(2) for Windows, which has none: two ends of a TCP connection over the loopback, as
// libuv and Python make them.
#include "socket_calls.h"
#include "windows/net.h"

#include "os_errno.h"

namespace tripoll::os {

namespace {

// Others may connect to our port before we do: so many are turned away before we give up.
constexpr int kMostStrangers = 16;

bool SameAddress(const sockaddr_in& one, const sockaddr_in& other) {
  return one.sin_port == other.sin_port && one.sin_addr.s_addr == other.sin_addr.s_addr;
}

int ListenOnLoopback(int fd, sockaddr_in* address) {
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof *address;
  auto* name = reinterpret_cast<sockaddr*>(address);
  int error = Bind(fd, name, length);
  if (error == 0) error = Listen(fd, 1);
  return error == 0 ? Getsockname(fd, name, &length) : error;
}

// Only the one end that is ours: any program of this machine may connect.
int AcceptFrom(int listener, int client, int flags) {
  sockaddr_in own{};
  socklen_t length = sizeof own;
  const int error = Getsockname(client, reinterpret_cast<sockaddr*>(&own), &length);
  if (error < 0) return error;
  for (int i = 0; i < kMostStrangers; i++) {
    sockaddr_in peer{};
    length = sizeof peer;
    const int fd = Accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, flags);
    if (fd < 0 || SameAddress(own, peer)) return fd;
    static_cast<void>(Close(fd));
  }
  return -ECONNABORTED;
}

int SetNonblocking(int fd) { return Fcntl(fd, F_SETFL, O_NONBLOCK); }

int Connect(int listener, int fds[2], int type) {
  sockaddr_in address{};
  int error = ListenOnLoopback(listener, &address);
  if (error < 0) return error;
  // Blocking: on the loopback a connection is there when connect returns.
  fds[0] = Socket(AF_INET, type & ~SOCK_NONBLOCK, 0);
  if (fds[0] < 0) return fds[0];
  error = os::Connect(fds[0], reinterpret_cast<sockaddr*>(&address), sizeof address);
  if (error < 0) return error;
  fds[1] = AcceptFrom(listener, fds[0], type & (SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fds[1] < 0) return fds[1];
  // A pair that stands for a pipe is not to wait for more bytes.
  const int on = 1;
  for (int i = 0; i < 2; i++) {
    error = Setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (error < 0) return error;
  }
  return (type & SOCK_NONBLOCK) != 0 ? SetNonblocking(fds[0]) : 0;
}

}  // namespace

int Socketpair(int domain, int type, int protocol, int fds[2]) {
  if (domain != AF_INET) return -EAFNOSUPPORT;
  if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return -EPROTONOSUPPORT;
  const int listener = Socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
  if (listener < 0) return listener;
  fds[0] = -1;
  fds[1] = -1;
  const int error = Connect(listener, fds, type);
  static_cast<void>(Close(listener));
  for (int i = 0; i < 2 && error < 0; i++) {
    if (fds[i] >= 0) static_cast<void>(Close(fds[i]));
  }
  return error;
}

}  // namespace tripoll::os
