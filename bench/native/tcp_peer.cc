// The C sides of the TCP rows, as an expert writes them: edge-triggered, registered once.
//   tcp_peer splice CPU TARGET_PORT PIPE_BYTES   a proxy by splice(2), a pipe for each direction
//   tcp_peer short CPU                           accept, one request of 64 bytes, one reply, close
//   tcp_peer short-defer CPU                     the same by TCP_DEFER_ACCEPT
#include <initializer_list>

#include "tcp_common.h"

namespace bench {
namespace {

constexpr int kEventsPerWait = 1024;
constexpr size_t kSpliceBytes = size_t{1} << 20;
constexpr size_t kMessageBytes = 64;
constexpr uint32_t kBothWays = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

int epoll_fd = -1;

int AcceptOne(int listen_fd) {
  const int fd = accept4(listen_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) Check(fd, "accept4");
  return fd;
}

// ---- splice ----

struct OneWay {
  int from = -1;
  int to = -1;
  int pipe_read = -1;
  int pipe_write = -1;
  size_t in_pipe = 0;
  bool done = false;
};

struct Pair {
  OneWay up;
  OneWay down;
};

// Moves what there is; false when the direction has failed.
bool Pump(OneWay* way) {
  while (!way->done) {
    while (way->in_pipe > 0) {
      const ssize_t moved = splice(way->pipe_read, nullptr, way->to, nullptr, way->in_pipe,
                                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (moved < 0) return errno == EAGAIN || errno == ENOTCONN;
      way->in_pipe -= static_cast<size_t>(moved);
    }
    const ssize_t taken = splice(way->from, nullptr, way->pipe_write, nullptr, kSpliceBytes,
                                 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (taken < 0) return errno == EAGAIN || errno == ENOTCONN;
    if (taken == 0) {
      way->done = true;
      shutdown(way->to, SHUT_WR);
    }
    way->in_pipe += static_cast<size_t>(taken);
  }
  return true;
}

void OpenPipe(OneWay* way, int pipe_bytes) {
  int ends[2];
  Check(pipe2(ends, O_NONBLOCK | O_CLOEXEC), "pipe2");
  way->pipe_read = ends[0];
  way->pipe_write = ends[1];
  Check(fcntl(way->pipe_write, F_SETPIPE_SZ, pipe_bytes), "F_SETPIPE_SZ");
}

void ClosePair(Pair* pair) {
  for (const OneWay* way : {&pair->up, &pair->down}) {
    close(way->from);
    close(way->pipe_read);
    close(way->pipe_write);
  }
  pair->up.from = -1;
}

void RunSplice(int target_port, int pipe_bytes) {
  const int listen_fd = ListenAndTell();
  Watch(epoll_fd, listen_fd, EPOLLIN, nullptr);
  static epoll_event events[kEventsPerWait];
  for (;;) {
    const int count = epoll_wait(epoll_fd, events, kEventsPerWait, -1);
    for (int i = 0; i < count; i++) {
      auto* pair = static_cast<Pair*>(events[i].data.ptr);
      if (pair == nullptr) {
        const int client = AcceptOne(listen_fd);
        if (client < 0) continue;
        pair = new Pair();  // kept to the end of the run: an event of this batch may name it
        const int server = StartConnect(target_port);
        SetNoDelay(client);
        SetNoDelay(server);
        pair->up.from = pair->down.to = client;
        pair->up.to = pair->down.from = server;
        OpenPipe(&pair->up, pipe_bytes);
        OpenPipe(&pair->down, pipe_bytes);
        Watch(epoll_fd, client, kBothWays, pair);
        Watch(epoll_fd, server, kBothWays, pair);
      } else if (pair->up.from >= 0) {
        const bool good = Pump(&pair->up) && Pump(&pair->down);
        if (!good || (pair->up.done && pair->down.done)) ClosePair(pair);
      }
    }
  }
}

// ---- short connections ----

// False: the request has not come yet.
bool Answer(int fd) {
  char message[kMessageBytes];
  const ssize_t received = recv(fd, message, sizeof message, 0);
  if (received < 0 && errno == EAGAIN) return false;
  if (received > 0 && send(fd, message, static_cast<size_t>(received), MSG_NOSIGNAL) < 0) {
    perror("send");
  }
  close(fd);
  return true;
}

// Null data is the listener; else it is the fd of a connection, which waits for its request.
void RunShort(bool defer) {
  const int listen_fd = ListenAndTell();
  if (defer) {
    const int seconds = 1;
    Check(setsockopt(listen_fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds),
          "TCP_DEFER_ACCEPT");
    SetNoDelay(listen_fd);  // connections inherit it
  }
  Watch(epoll_fd, listen_fd, EPOLLIN, nullptr);
  static epoll_event events[kEventsPerWait];
  for (;;) {
    const int count = epoll_wait(epoll_fd, events, kEventsPerWait, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr != nullptr) {
        Answer(static_cast<int>(reinterpret_cast<intptr_t>(events[i].data.ptr)));
        continue;
      }
      for (int n = 0; n < 64; n++) {
        const int fd = AcceptOne(listen_fd);
        if (fd < 0) break;
        if (defer && Answer(fd)) continue;  // it came with its request
        if (!defer) SetNoDelay(fd);
        Watch(epoll_fd, fd, EPOLLIN | EPOLLRDHUP | EPOLLET,
              reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
      }
    }
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  if (argc < 3) return 2;
  EnterProcess(atoi(argv[2]));
  epoll_fd = Check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  if (strcmp(argv[1], "splice") == 0 && argc == 5) RunSplice(atoi(argv[3]), atoi(argv[4]));
  if (strcmp(argv[1], "short") == 0) RunShort(false);
  if (strcmp(argv[1], "short-defer") == 0) RunShort(true);
  return 2;
}
