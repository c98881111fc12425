// What the programs of the TCP rows share. A benchmark cannot go on after a failed call: it says
// which, and ends.
#ifndef TRIPOLL_BENCH_TCP_COMMON_H_
#define TRIPOLL_BENCH_TCP_COMMON_H_

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

inline int Check(int result, const char* what) {
  if (result >= 0) return result;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

inline void EnterProcess(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  Check(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
  Check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
  signal(SIGPIPE, SIG_IGN);
}

inline sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

inline int NewSocket() {
  return Check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
}

// A listener on a port of the system's choice, which it prints.
inline int ListenAndTell() {
  const int fd = NewSocket();
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  auto* name = reinterpret_cast<sockaddr*>(&address);
  Check(bind(fd, name, length), "bind");
  Check(listen(fd, 4096), "listen");
  Check(getsockname(fd, name, &length), "getsockname");
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

inline int StartConnect(int port) {
  const int fd = NewSocket();
  const sockaddr_in address = Loopback(port);
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (result < 0 && errno != EINPROGRESS) Check(result, "connect");
  return fd;
}

inline void SetNoDelay(int fd) {
  const int one = 1;
  Check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "TCP_NODELAY");
}

inline void Watch(int epoll_fd, int fd, uint32_t events, void* data) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = data;
  Check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

}  // namespace bench

#endif  // TRIPOLL_BENCH_TCP_COMMON_H_
