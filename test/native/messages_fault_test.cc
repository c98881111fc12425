// fds in messages (T46): what is taken, what is closed, and that nothing stays open unseen.
#include "unix/messages.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "check.h"
#include "faulty_os_calls.h"
#include "os_calls.h"

namespace {

using tripoll::kMostFds;
using tripoll::ReceivedMessage;
using tripoll::ReceiveMessage;
using tripoll::SendMessage;
namespace os = tripoll::os;

constexpr int kHighestFd = 1024;

int OpenFds() {
  int count = 0;
  for (int fd = 0; fd < kHighestFd; fd++) count += os::Fcntl(fd, F_GETFD, 0) >= 0 ? 1 : 0;
  return count;
}

struct Pair {
  int fds[2];
  Pair() { CHECK_EQ(os::Socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  ~Pair() {
    for (const int fd : fds) CHECK_EQ(os::Close(fd), 0);
  }
};

// So many times the same file, with a byte of data.
int SendCopies(const Pair& pair, int count) {
  uint8_t byte = 'x';
  const std::vector<int> fds(static_cast<size_t>(count), pair.fds[0]);
  return SendMessage(pair.fds[0], {&byte, 1}, {}, fds.data(), count);
}

int Receive(const Pair& pair, int capacity, ReceivedMessage* received) {
  uint8_t buffer[16];
  return ReceiveMessage(pair.fds[1], {buffer, sizeof buffer}, {}, 0, capacity, received);
}

void CloseKept(const ReceivedMessage& received) {
  for (int i = 0; i < received.fd_count; i++) CHECK_EQ(os::Close(received.fds[i]), 0);
}

}  // namespace

TEST(T46_as_many_fds_as_fit_arrive_and_are_close_on_exec) {
  fault::Reset();
  const Pair pair;
  const int before = OpenFds();
  CHECK_EQ(SendCopies(pair, kMostFds), 1);
  ReceivedMessage received;
  CHECK_EQ(Receive(pair, kMostFds, &received), 1);
  CHECK_EQ(received.fd_count, kMostFds);
  CHECK_EQ(received.closed_count, 0);
  CHECK_EQ(received.flags & MSG_CTRUNC, 0);
  for (int i = 0; i < received.fd_count; i++) {
    CHECK_EQ(os::Fcntl(received.fds[i], F_GETFD, 0), FD_CLOEXEC);
  }
  CloseKept(received);
  CHECK_EQ(OpenFds(), before);
}

TEST(T46_one_fd_more_than_a_message_takes_is_refused_here) {
  fault::Reset();
  const Pair pair;
  uint8_t byte = 'x';
  const std::vector<int> fds(kMostFds + 1, pair.fds[0]);
  CHECK_EQ(SendMessage(pair.fds[0], {&byte, 1}, {}, fds.data(), kMostFds + 1), -EINVAL);
  CHECK_EQ(fault::Calls("Sendmsg"), 0);
}

// 1 of 2: alignment leaves room for a second one in a buffer that was measured for the first.
TEST(T46_fds_beyond_the_capacity_are_closed) {
  for (const int capacity : {1, 2, 4}) {
    fault::Reset();
    const Pair pair;
    const int before = OpenFds();
    CHECK_EQ(SendCopies(pair, 5), 1);
    ReceivedMessage received;
    CHECK_EQ(Receive(pair, capacity, &received), 1);
    CHECK_EQ(received.fd_count, capacity);
    CHECK_EQ(received.closed_count, 5 - capacity);
    CHECK_EQ(OpenFds(), before + capacity);
    CloseKept(received);
  }
}

TEST(T46_without_a_capacity_the_system_drops_them) {
  fault::Reset();
  const Pair pair;
  const int before = OpenFds();
  CHECK_EQ(SendCopies(pair, 5), 1);
  ReceivedMessage received;
  CHECK_EQ(Receive(pair, 0, &received), 1);
  CHECK_EQ(received.fd_count, 0);
  CHECK(received.flags & MSG_CTRUNC);
  CHECK_EQ(fault::Calls("Close"), 0);
  CHECK_EQ(OpenFds(), before);
}

TEST(T46_a_close_that_says_EINTR_is_not_repeated) {
  fault::Reset();
  const Pair pair;
  CHECK_EQ(SendCopies(pair, 4), 1);
  fault::Inject("Close", EINTR, 3);
  ReceivedMessage received;
  CHECK_EQ(Receive(pair, 1, &received), 1);
  CHECK_EQ(fault::Calls("Close"), 3);
  // The twin did not close them: so they are still there, to be closed now.
  fault::Reset();
  for (int fd = pair.fds[1] + 1; fd <= pair.fds[1] + 4; fd++) CHECK_EQ(os::Close(fd), 0);
}

// The kernel's own: the table of fds is full in the middle of a message.
TEST(T46_MSG_CTRUNC_leaks_nothing) {
  fault::Reset();
  const Pair pair;
  const int before = OpenFds();
  CHECK_EQ(SendCopies(pair, 5), 1);
  rlimit limit{};
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit tight = limit;
  tight.rlim_cur = static_cast<rlim_t>(pair.fds[1]) + 3;  // room for two
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  ReceivedMessage received;
  const int result = Receive(pair, kMostFds, &received);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  CHECK_EQ(result, 1);
  CHECK(received.flags & MSG_CTRUNC);
  CHECK_EQ(received.fd_count, 2);
  CHECK_EQ(OpenFds(), before + 2);
  CloseKept(received);
  CHECK_EQ(OpenFds(), before);
}

TEST(a_receive_that_fails_reports_no_fds) {
  fault::Reset();
  const Pair pair;
  fault::Inject("Recvmsg", EINTR, 1);
  ReceivedMessage received;
  CHECK_EQ(Receive(pair, kMostFds, &received), -EINTR);
  CHECK_EQ(received.fd_count, 0);
}

RUN_TESTS()
