// Echo over epoll as an expert writes it: edge-triggered, registered once for both directions and
// never modified, one buffer for all, no system call but epoll_wait, recv and send while replies
// fit the socket. EPOLLOUT costs nothing here: the kernel reports that edge only after a send was
// refused or cut short.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "echo_peer.h"

namespace bench {
namespace {

constexpr int kEventsPerWait = 1024;
constexpr int64_t kSpinNs = 50'000;  // as spinUs of the sides in TypeScript
constexpr uint32_t kInterest = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr uint32_t kClosing = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

struct Connection {
  int fd;
  std::vector<uint8_t> unsent;
  size_t unsent_offset = 0;
};

int epoll_fd = -1;
int listen_fd = -1;
uint8_t read_buffer[kReadBufferBytes];

// Returns what the kernel took, 0 when the socket is full, or -errno.
ssize_t SendSome(int fd, const uint8_t* data, size_t length) {
  for (;;) {
    const ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) return -errno;
  }
}

// Called only while nothing is queued. False: the connection is broken.
bool Echo(Connection* connection, const uint8_t* data, size_t length) {
  const ssize_t sent = SendSome(connection->fd, data, length);
  if (sent < 0) return false;
  if (static_cast<size_t>(sent) < length) connection->unsent.assign(data + sent, data + length);
  return true;
}

bool Flush(Connection* connection) {
  while (connection->unsent_offset < connection->unsent.size()) {
    const ssize_t sent =
        SendSome(connection->fd, connection->unsent.data() + connection->unsent_offset,
                 connection->unsent.size() - connection->unsent_offset);
    if (sent < 0) return false;
    if (sent == 0) return true;
    connection->unsent_offset += static_cast<size_t>(sent);
  }
  connection->unsent.clear();
  connection->unsent_offset = 0;
  return true;
}

// A read that does not fill the buffer has emptied the socket, so the EAGAIN need not be asked for,
// unless the peer is closing: data and FIN can share one edge. A queued reply stops reading until
// it is sent.
bool ReadAndEcho(Connection* connection, bool closing) {
  while (connection->unsent.empty()) {
    const ssize_t received = recv(connection->fd, read_buffer, sizeof read_buffer, 0);
    if (received == 0) return false;
    if (received < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    if (!Echo(connection, read_buffer, static_cast<size_t>(received))) return false;
    if (static_cast<size_t>(received) < sizeof read_buffer && !closing) return true;
  }
  return true;
}

bool Serve(Connection* connection, uint32_t events) {
  if (connection->unsent.empty()) return ReadAndEcho(connection, (events & kClosing) != 0);
  if (!Flush(connection)) return false;
  // Edges that came while the queue was full are gone: read to the end.
  return ReadAndEcho(connection, true);
}

void CloseConnection(Connection* connection) {
  close(connection->fd);  // takes it out of the epoll set: no other descriptor refers to the socket
  delete connection;
}

int AddConnection(int fd) {
  const int one = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) return -errno;
  auto* connection = new Connection{fd, {}, 0};
  epoll_event event{};
  event.events = kInterest;
  event.data.ptr = connection;
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
  const int error = -errno;
  delete connection;
  return error;
}

int AcceptAll() {
  for (;;) {
    const int fd = accept4(listen_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN) return 0;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return -errno;
    }
    const int error = AddConnection(fd);
    if (error != 0) {
      close(fd);
      return error;
    }
  }
}

int BindAndListen() {
  const int one = 1;
  if (setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) return -errno;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listen_fd, reinterpret_cast<sockaddr*>(&address), length) != 0) return -errno;
  if (listen(listen_fd, kBacklog) != 0) return -errno;
  if (getsockname(listen_fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return -errno;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) != 0) return -errno;
  return ntohs(address.sin_port);
}

int Wait(epoll_event* events) { return epoll_wait(epoll_fd, events, kEventsPerWait, -1); }

int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Looks again and again before it sleeps.
int SpinAndWait(epoll_event* events) {
  const int64_t until_ns = NowNs() + kSpinNs;
  do {
    const int count = epoll_wait(epoll_fd, events, kEventsPerWait, 0);
    if (count != 0) return count;
  } while (NowNs() < until_ns);
  return Wait(events);
}

// A connection is closed only by its own event, and has one event per batch: none here is stale.
template <int (*kWait)(epoll_event*)>
int Run() {
  static epoll_event events[kEventsPerWait];
  for (;;) {
    const int count = kWait(events);
    if (count < 0 && errno != EINTR) return -errno;
    for (int i = 0; i < count; i++) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) {
        const int error = AcceptAll();
        if (error != 0) return error;
      } else if (!Serve(connection, events[i].events)) {
        CloseConnection(connection);
      }
    }
  }
}

}  // namespace

int RawEpollListen() {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return -errno;
  listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listen_fd < 0) return -errno;
  return BindAndListen();
}

int RawEpollRun() { return Run<Wait>(); }
int RawEpollSpin() { return Run<SpinAndWait>(); }

}  // namespace bench
