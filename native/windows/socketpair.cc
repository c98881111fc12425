// socketpair(2) for Windows, which has none: two ends of a TCP connection over the loopback, as
// libuv and Python make them.
#include "socket_calls.h"
#include "unique_fd.h"
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
    UniqueFd fd(Accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, flags));
    if (fd.get() < 0 || SameAddress(own, peer)) return fd.Release();
  }
  return -ECONNABORTED;
}

int SetNonblocking(int fd) { return Fcntl(fd, F_SETFL, O_NONBLOCK); }

int Connect(int listener, UniqueFd (&ends)[2], int type) {
  sockaddr_in address{};
  int error = ListenOnLoopback(listener, &address);
  if (error < 0) return error;
  // Blocking: on the loopback a connection is there when connect returns.
  ends[0].Reset(Socket(AF_INET, type & ~SOCK_NONBLOCK, 0));
  if (ends[0].get() < 0) return ends[0].get();
  error = os::Connect(ends[0].get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  if (error < 0) return error;
  ends[1].Reset(AcceptFrom(listener, ends[0].get(), type & (SOCK_NONBLOCK | SOCK_CLOEXEC)));
  if (ends[1].get() < 0) return ends[1].get();
  // A pair that stands for a pipe is not to wait for more bytes.
  const int on = 1;
  for (const UniqueFd& end : ends) {
    error = Setsockopt(end.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (error < 0) return error;
  }
  return (type & SOCK_NONBLOCK) != 0 ? SetNonblocking(ends[0].get()) : 0;
}

}  // namespace

int Socketpair(int domain, int type, int protocol, int fds[2]) {
  if (domain != AF_INET) return -EAFNOSUPPORT;
  if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return -EPROTONOSUPPORT;
  const UniqueFd listener(Socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol));
  if (listener.get() < 0) return listener.get();
  UniqueFd ends[2];
  const int error = Connect(listener.get(), ends, type);
  if (error < 0) return error;
  for (int i = 0; i < 2; i++) fds[i] = ends[i].Release();
  return 0;
}

}  // namespace tripoll::os
