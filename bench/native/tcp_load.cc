// The load of the TCP rows.
//   tcp_load flow CPU: prints the port of a sink; `go PORT CONNECTIONS MEGABYTES` on standard input
//   sends so much over each
//     of several connections to PORT, a proxy of the sink's, in writes of 64 KB, and waits until
//     the sink has all of it
//   tcp_load short CPU: `go PORT CONNECTIONS MILLISECONDS` keeps so many connections under way:
//   connect, 64 bytes, their
//     reply, the end
// Each answers `done COUNT`, bytes or connections.
#include <ctime>
#include <vector>

#include "tcp_common.h"

namespace bench {
namespace {

constexpr size_t kChunkBytes = size_t{64} * 1024;
constexpr size_t kMessageBytes = 64;
constexpr int kEventsPerWait = 256;

int epoll_fd = -1;
char buffer[kChunkBytes];

int64_t NowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

struct Go {
  int port;
  int connections;
  int amount;
};

bool ReadGo(Go* go) { return scanf(" go %d %d %d", &go->port, &go->connections, &go->amount) == 3; }

void Done(int64_t count) {
  printf("done %lld\n", static_cast<long long>(count));
  fflush(stdout);
}

// ---- flow ----

enum class Kind { kListener, kSource, kSink };

struct End {
  Kind kind;
  int fd;
  int64_t left;
};

// Sends until the socket is full, or all is sent.
void Pour(End* source) {
  while (source->left > 0) {
    const size_t length = source->left < static_cast<int64_t>(kChunkBytes)
                              ? static_cast<size_t>(source->left)
                              : kChunkBytes;
    const ssize_t sent = send(source->fd, buffer, length, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    Check(static_cast<int>(sent), "send");
    source->left -= sent;
    if (source->left == 0) Check(shutdown(source->fd, SHUT_WR), "shutdown");
  }
}

// Discards what there is; the number of bytes.
int64_t Drain(End* sink, bool* ended) {
  int64_t total = 0;
  for (;;) {
    // MSG_TRUNC: TCP drops the bytes without a copy, so that the core is the source's.
    const ssize_t received = recv(sink->fd, nullptr, size_t{1} << 20, MSG_TRUNC);
    if (received < 0 && errno == EAGAIN) return total;
    Check(static_cast<int>(received), "recv");
    if (received == 0) {
      *ended = true;
      return total;
    }
    total += received;
  }
}

void Flow(const Go& go) {
  std::vector<End*> sources;
  for (int i = 0; i < go.connections; i++) {
    auto* source = new End{Kind::kSource, StartConnect(go.port), int64_t{go.amount} << 20};
    sources.push_back(source);
    Watch(epoll_fd, source->fd, EPOLLOUT | EPOLLET, source);
  }
  int64_t total = 0;
  epoll_event events[kEventsPerWait];
  for (int ended = 0; ended < go.connections;) {
    const int count = epoll_wait(epoll_fd, events, kEventsPerWait, -1);
    for (int i = 0; i < count; i++) {
      auto* end = static_cast<End*>(events[i].data.ptr);
      if (end->kind == Kind::kListener) {
        const int fd = accept4(end->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) Watch(epoll_fd, fd, EPOLLIN | EPOLLET, new End{Kind::kSink, fd, 0});
      } else if (end->kind == Kind::kSource) {
        Pour(end);
      } else {
        bool is_over = false;
        total += Drain(end, &is_over);
        if (!is_over) continue;
        ended++;
        close(end->fd);
        delete end;
      }
    }
  }
  for (End* source : sources) {
    close(source->fd);
    delete source;
  }
  Done(total);
}

void RunFlow() {
  End listener{Kind::kListener, ListenAndTell(), 0};
  Watch(epoll_fd, listener.fd, EPOLLIN, &listener);
  for (Go go{}; ReadGo(&go);) Flow(go);
}

// ---- short ----

void* ToData(int fd) { return reinterpret_cast<void*>(static_cast<intptr_t>(fd)); }

void Begin(int port) {
  const int fd = StartConnect(port);
  // A reset at the end, instead of ports in TIME-WAIT: they would run out in a second or two.
  const linger reset{1, 0};
  Check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), "SO_LINGER");
  Watch(epoll_fd, fd, EPOLLOUT | EPOLLONESHOT, ToData(fd));
}

void Ask(int fd) {
  Check(static_cast<int>(send(fd, buffer, kMessageBytes, MSG_NOSIGNAL)), "send");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = ToData(fd);
  Check(epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event), "epoll_ctl");
}

// Whether the end has come.
bool Hear(int fd) {
  for (;;) {
    const ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received == 0) return true;
    if (received < 0 && errno == EAGAIN) return false;
    if (received < 0 && errno == ECONNRESET) return true;
    Check(static_cast<int>(received), "recv");
  }
}

void Short(const Go& go) {
  const int64_t end_ms = NowMs() + go.amount;
  int under_way = 0;
  for (; under_way < go.connections; under_way++) Begin(go.port);
  int64_t total = 0;
  epoll_event events[kEventsPerWait];
  while (under_way > 0) {
    const int count = epoll_wait(epoll_fd, events, kEventsPerWait, -1);
    const bool go_on = NowMs() < end_ms;
    for (int i = 0; i < count; i++) {
      const int fd = static_cast<int>(reinterpret_cast<intptr_t>(events[i].data.ptr));
      if ((events[i].events & EPOLLOUT) != 0) {
        Ask(fd);
      } else if (Hear(fd)) {
        close(fd);
        total++;
        if (go_on) {
          Begin(go.port);
        } else {
          under_way--;
        }
      }
    }
  }
  Done(total);
}

void RunShort() {
  printf("ready\n");
  fflush(stdout);
  for (Go go{}; ReadGo(&go);) Short(go);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  if (argc != 3) return 2;
  EnterProcess(atoi(argv[2]));
  epoll_fd = Check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  if (strcmp(argv[1], "flow") == 0) {
    RunFlow();
  } else if (strcmp(argv[1], "short") == 0) {
    RunShort();
  } else {
    return 2;
  }
  return 0;
}
