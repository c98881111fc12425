// The least that a Redis server can cost: one epoll_wait a batch, one recv and one send a chunk,
// and no database. Every command is answered as one whose key is not there, which is what
// `redis-benchmark -t get` asks of an empty server.
//   resp_peer CPU
#include "tcp_common.h"

namespace bench {
namespace {

constexpr int kEventsPerWait = 1024;
constexpr size_t kReadBufferBytes = size_t{64} * 1024;
constexpr char kNull[] = "$-1\r\n";
constexpr size_t kNullBytes = sizeof kNull - 1;
// The shortest command is "*0\r\n".
constexpr size_t kReplyBufferBytes = kReadBufferBytes / 4 * kNullBytes;

int epoll_fd = -1;
char requests[kReadBufferBytes];
char replies[kReplyBufferBytes];

[[noreturn]] void Refuse(const char* what) {
  fprintf(stderr, "resp_peer: %s\n", what);
  exit(1);
}

// `prefix`, a number, and the end of the line.
size_t TakeNumber(char prefix, const char** at, const char* end) {
  const char* p = *at;
  if (p == end || *p++ != prefix) Refuse("not what redis-benchmark sends");
  size_t number = 0;
  while (p < end && *p >= '0' && *p <= '9') number = number * 10 + static_cast<size_t>(*p++ - '0');
  if (end - p < 2) Refuse("a command that came in pieces");
  *at = p + 2;
  return number;
}

// Returns how many bytes the replies have.
size_t AnswerAll(const char* at, const char* end) {
  size_t length = 0;
  while (at < end) {
    for (size_t words = TakeNumber('*', &at, end); words > 0; words--) {
      const size_t bytes = TakeNumber('$', &at, end) + 2;
      if (static_cast<size_t>(end - at) < bytes) Refuse("a command that came in pieces");
      at += bytes;
    }
    memcpy(replies + length, kNull, kNullBytes);
    length += kNullBytes;
  }
  return length;
}

void Accept(int listen_fd) {
  const int fd = accept4(listen_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  SetNoDelay(fd);
  Watch(epoll_fd, fd, EPOLLIN | EPOLLRDHUP | EPOLLET,
        reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
}

void Serve(int fd) {
  const ssize_t received = recv(fd, requests, sizeof requests, 0);
  if (received < 0 && errno == EAGAIN) return;
  if (received <= 0) {
    close(fd);
    return;
  }
  const size_t length = AnswerAll(requests, requests + received);
  if (send(fd, replies, length, MSG_NOSIGNAL) != static_cast<ssize_t>(length)) close(fd);
}

// Null data is the listener; else it is the fd of a connection.
void Run() {
  const int listen_fd = ListenAndTell();
  Watch(epoll_fd, listen_fd, EPOLLIN, nullptr);
  static epoll_event events[kEventsPerWait];
  for (;;) {
    const int count = epoll_wait(epoll_fd, events, kEventsPerWait, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == nullptr)
        Accept(listen_fd);
      else
        Serve(static_cast<int>(reinterpret_cast<intptr_t>(events[i].data.ptr)));
    }
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  if (argc != 2) return 2;
  EnterProcess(atoi(argv[1]));
  epoll_fd = Check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  Run();
}
