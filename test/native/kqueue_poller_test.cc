// The kqueue backend in plain C++: on macOS and the BSDs, where it needs no Node, and on Linux over
// the shim of test/support/kqueue-shim.
#include "bsd/kqueue_poller.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "check.h"
#include "os_calls.h"

namespace {

using tripoll::EventRecord;
namespace os = tripoll::os;

constexpr uint32_t kRead = tripoll::kInterestReadable;
constexpr uint32_t kWrite = tripoll::kInterestWritable;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMsNs = 1'000'000;

struct Kq {
  Kq() { poller = tripoll::KqueuePoller::Open(&error); }

  int Add(int fd, uint32_t interest, uint32_t mode = tripoll::kModeLevel) const {
    return poller->Add({fd, 1, 1, interest, mode});
  }
  int Modify(int fd, uint32_t interest, uint32_t mode = tripoll::kModeLevel) const {
    return poller->Modify({fd, 1, 1, interest, mode});
  }
  // The merged readiness of the one registration: what one wait brings, 0 for nothing.
  uint32_t Wait(int64_t timeout_ns) {
    const tripoll::WaitResult result = poller->Wait(timeout_ns, out.data());
    CHECK(result.count >= 0 && result.count <= 1);
    return result.count == 1 ? out[0].readiness : 0;
  }

  int error = 0;
  std::unique_ptr<tripoll::Poller> poller;
  std::vector<EventRecord> out{tripoll::kEventBatchSize};
};

struct Pipe {
  Pipe() { CHECK_EQ(os::Pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0); }
  ~Pipe() {
    for (const int fd : fds) {
      if (fd >= 0) static_cast<void>(os::Close(fd));
    }
  }
  void Send() const { CHECK_EQ(os::Write(fds[1], "x", 1), 1); }
  void CloseEnd(int end) {
    CHECK_EQ(os::Close(fds[end]), 0);
    fds[end] = -1;
  }
  int fds[2] = {-1, -1};
};

int NonBlockingSocket() {
  const int fd = os::Socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  CHECK(os::Fcntl(fd, F_SETFL, O_NONBLOCK) >= 0);
  return fd;
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = port;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int ConnectTo(int fd, uint16_t port) {
  const sockaddr_in address = Loopback(port);
  return os::Connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// Binds to a port of the loopback, which is returned in network order.
uint16_t BindTo(int fd) {
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  CHECK_EQ(os::Bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
  CHECK_EQ(os::Getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return address.sin_port;
}

}  // namespace

TEST(kqueue_a_level_is_told_as_long_as_it_is_so) {
  Kq kq;
  const Pipe pipe;
  CHECK_EQ(kq.Add(pipe.fds[0], kRead), 0);
  CHECK_EQ(kq.Wait(0), 0u);
  pipe.Send();
  for (int i = 0; i < 3; i++) CHECK_EQ(kq.Wait(kSecondNs), kRead);
  char byte = 0;
  CHECK_EQ(os::Read(pipe.fds[0], &byte, 1), 1);
  CHECK_EQ(kq.Wait(0), 0u);
}

TEST(T25_kqueue_an_edge_is_told_once_and_again_by_a_modify) {
  Kq kq;
  const Pipe pipe;
  pipe.Send();
  CHECK_EQ(kq.Add(pipe.fds[0], kRead, tripoll::kModeEdge), 0);
  CHECK_EQ(kq.Wait(kSecondNs), kRead);
  CHECK_EQ(kq.Wait(kMsNs), 0u);
  pipe.Send();
  CHECK_EQ(kq.Wait(kSecondNs), kRead);
  CHECK_EQ(kq.Wait(kMsNs), 0u);
  CHECK_EQ(kq.Modify(pipe.fds[0], kRead, tripoll::kModeEdge), 0);
  CHECK_EQ(kq.Wait(kSecondNs), kRead);
}

TEST(kqueue_a_oneshot_is_told_once_and_again_when_it_is_armed) {
  Kq kq;
  const Pipe pipe;
  for (const uint32_t mode : {tripoll::kModeOneshot, tripoll::kModeEdgeOneshot}) {
    CHECK_EQ(kq.Add(pipe.fds[0], kRead, mode), 0);
    pipe.Send();
    CHECK_EQ(kq.Wait(kSecondNs), kRead);
    pipe.Send();
    CHECK_EQ(kq.Wait(kMsNs), 0u);
    CHECK_EQ(kq.Modify(pipe.fds[0], kRead, mode), 0);
    CHECK_EQ(kq.Wait(kSecondNs), kRead);
    CHECK_EQ(kq.poller->Delete(pipe.fds[0], 1, 1), 0);
  }
}

TEST(T02_kqueue_never_takes_in_a_stranger) {
  Kq kq;
  Pipe gone;
  const Pipe stranger;
  const int number = gone.fds[0];
  CHECK_EQ(kq.Add(number, kRead), 0);
  gone.CloseEnd(0);
  CHECK_EQ(kq.Modify(number, kRead), -EBADF);
  CHECK_EQ(os::Fcntl(stranger.fds[0], F_DUPFD_CLOEXEC, number), number);
  stranger.Send();
  CHECK_EQ(kq.Modify(number, kRead), -ENOENT);
  CHECK_EQ(kq.Modify(number, kRead, tripoll::kModeEdge), -ENOENT);
  CHECK_EQ(kq.Wait(kMsNs), 0u);
  CHECK_EQ(kq.poller->Delete(number, 1, 1), 1);
  CHECK_EQ(os::Close(number), 0);
}

TEST(T04_kqueue_a_second_registration_is_EEXIST_unless_the_first_has_gone) {
  Kq kq;
  Pipe gone;
  const Pipe newer;
  const int number = gone.fds[0];
  CHECK_EQ(kq.Add(number, kRead), 0);
  CHECK_EQ(kq.poller->Add({number, 2, 1, kRead, tripoll::kModeLevel}), -EEXIST);
  gone.CloseEnd(0);
  CHECK_EQ(os::Fcntl(newer.fds[0], F_DUPFD_CLOEXEC, number), number);
  CHECK_EQ(kq.poller->Add({number, 2, 1, kRead, tripoll::kModeLevel}), 0);
  newer.Send();
  CHECK_EQ(kq.Wait(kSecondNs), kRead);
  CHECK_EQ(kq.out[0].slot, 2u);
  CHECK_EQ(os::Close(number), 0);
}

TEST(T20_kqueue_tells_of_a_pipe_whose_reader_had_gone_before) {
  Kq kq;
  Pipe pipe;
  pipe.CloseEnd(0);
  CHECK_EQ(kq.Add(pipe.fds[1], kWrite), 0);
  const uint32_t readiness = kq.Wait(kSecondNs);
  CHECK((readiness & tripoll::kWritable) != 0);
  CHECK((readiness & tripoll::kWriteClosed) != 0);
}

TEST(T21_kqueue_a_refused_connection_carries_its_errno) {
  Kq kq;
  // One that has listened: a SYN to a port that is bound and does not listen is dropped on NetBSD
  // and XNU, and waits for ever (T66).
  const int listener = NonBlockingSocket();
  const uint16_t port = BindTo(listener);
  CHECK_EQ(os::Listen(listener, 1), 0);
  CHECK_EQ(os::Close(listener), 0);
  const int client = NonBlockingSocket();
  const int refused = ConnectTo(client, port);
  CHECK(refused == -EINPROGRESS || refused == -ECONNREFUSED);
  if (refused == -EINPROGRESS) {
    CHECK_EQ(kq.Add(client, kWrite), 0);
    const uint32_t readiness = kq.Wait(kSecondNs);
    CHECK((readiness & tripoll::kError) != 0);
    CHECK_EQ(readiness >> tripoll::kReadinessErrnoShift, static_cast<uint32_t>(ECONNREFUSED));
  }
  CHECK_EQ(os::Close(client), 0);
}

TEST(T21_kqueue_EOF_comes_with_unread_data) {
  Kq kq;
  int fds[2];
  CHECK_EQ(os::Socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  CHECK_EQ(os::Write(fds[1], "last", 4), 4);
  CHECK_EQ(os::Close(fds[1]), 0);
  CHECK_EQ(kq.Add(fds[0], kRead, tripoll::kModeEdge), 0);
  CHECK_EQ(kq.Wait(kSecondNs) & (tripoll::kReadable | tripoll::kReadClosed),
           uint32_t{tripoll::kReadable} | tripoll::kReadClosed);
  char bytes[8];
  CHECK_EQ(os::Read(fds[0], bytes, sizeof bytes), 4);
  CHECK_EQ(os::Close(fds[0]), 0);
}

TEST(T57_kqueue_a_deadline_or_a_wake_of_another_thread_ends_the_wait) {
  Kq kq;
  for (const bool wake : {false, true}) {
    std::thread other(
        [&kq, wake] { CHECK_EQ(wake ? kq.poller->Wake() : kq.poller->SetDeadline(kMsNs), 0); });
    const auto start = std::chrono::steady_clock::now();
    const tripoll::WaitResult result = kq.poller->Wait(60 * kSecondNs, kq.out.data());
    CHECK(result.woken);
    CHECK_EQ(result.count, 0);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
    other.join();
  }
}

RUN_TESTS()
