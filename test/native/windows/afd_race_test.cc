// The real driver, and two threads: data against a cancel, and a socket that moves to another
// poller.
#include <atomic>
#include <iostream>
#include <random>
#include <thread>

#include "check.h"
#include "os_errno.h"
#include "poller.h"
#include "socket_calls.h"
#include "windows/afd.h"
#include "windows/net.h"
#include "windows/port_calls.h"

namespace {

using tripoll::EventRecord;
using tripoll::kInterestReadable;
using tripoll::kInterestWritable;

constexpr int kRounds = 2000;
constexpr DWORD kDeadlineMs = 10000;
constexpr int64_t kDeadlineNs = 10'000'000'000;
constexpr LONG kCancelled = static_cast<LONG>(0xC0000120);

struct Pair {
  int fds[2] = {-1, -1};
  Pair() { CHECK_EQ(tripoll::os::Socketpair(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    for (const int fd : fds) CHECK_EQ(tripoll::os::Close(fd), 0);
  }
  void Send(char byte) { CHECK_EQ(tripoll::os::Send(fds[1], &byte, 1, 0), 1); }
};

// The bytes sent so far, in order, as soon as they are there.
int ReceiveAll(int fd, int wanted, char* last) {
  char buffer[64];
  int total = 0;
  for (int i = 0; total < wanted && i < 1000000; i++) {
    const int received = tripoll::os::Recv(fd, buffer, sizeof buffer, 0);
    if (received <= 0) continue;
    total += received;
    *last = buffer[received - 1];
  }
  return total;
}

}  // namespace

TEST(T33_data_against_cancel_two_thousand_times) {
  HANDLE port = nullptr;
  HANDLE afd = nullptr;
  CHECK_EQ(tripoll::os::CreatePort(&port), 0);
  CHECK_EQ(tripoll::OpenAfd(port, &afd), 0);
  Pair pair;
  std::atomic<int> turn{0};
  std::thread sender([&] {
    for (int round = 1; round <= kRounds; round++) {
      while (turn.load() < round) std::this_thread::yield();
      pair.Send(static_cast<char>(round));
    }
  });
  std::mt19937 random(3);
  int cancelled = 0;
  int with_data = 0;
  for (int round = 1; round <= kRounds; round++) {
    tripoll::AfdPoll poll;
    CHECK_EQ(tripoll::StartAfdPoll(afd, tripoll::os::ToSocket(pair.fds[0]), tripoll::kAfdReceive, 1,
                                   &poll),
             0);
    turn = round;
    for (uint32_t spin = random() % 64; spin > 0; spin--) std::this_thread::yield();
    CHECK_EQ(tripoll::CancelAfdPoll(afd, &poll), 0);
    OVERLAPPED_ENTRY entry{};
    ULONG count = 0;
    CHECK_EQ(tripoll::os::WaitForPackets(port, &entry, 1, kDeadlineMs, &count), DWORD{0});
    if (poll.status.Status == kCancelled) cancelled++;
    if (tripoll::AfdEvents(poll) == tripoll::kAfdReceive) with_data++;
    char last = 0;
    CHECK_EQ(ReceiveAll(pair.fds[0], 1, &last), 1);
    CHECK_EQ(last, static_cast<char>(round));
  }
  sender.join();
  std::cout << "data against cancel: " << cancelled << " cancelled, " << with_data
            << " with data\n";
  CHECK_EQ(cancelled + with_data, kRounds);
  CHECK(cancelled > kRounds / 100);
  CHECK(with_data > kRounds / 100);
  tripoll::CloseAfd(afd);
  CloseHandle(port);
}

TEST(T05_a_socket_whose_poll_is_outstanding_joins_another_poller) {
  Pair pair;
  int error = 0;
  auto first = tripoll::OpenPoller("iocp", &error);
  auto second = tripoll::OpenPoller("iocp", &error);
  EventRecord records[tripoll::kEventBatchSize];
  std::atomic<bool> quit{false};
  std::atomic<int> strays{0};
  // The first poller's own thread waits all along, as a watcher's does.
  std::thread waiter([&] {
    EventRecord own[tripoll::kEventBatchSize];
    while (!quit.load()) {
      if (first->Wait(-1, own).count > 0) strays++;
    }
  });
  for (uint32_t round = 1; round <= 200; round++) {
    CHECK_EQ(first->Add({pair.fds[0], 1, round, kInterestReadable, 0}), 0);
    CHECK_EQ(first->Delete(pair.fds[0], 1, round), 0);
    CHECK_EQ(second->Add({pair.fds[0], 2, round, kInterestReadable, 0}), 0);
    pair.Send('x');
    CHECK_EQ(second->Wait(kDeadlineNs, records).count, 1);
    CHECK_EQ(records[0].generation, round);
    char last = 0;
    CHECK_EQ(ReceiveAll(pair.fds[0], 1, &last), 1);
    CHECK_EQ(second->Delete(pair.fds[0], 2, round), 0);
  }
  quit = true;
  CHECK_EQ(first->Wake(), 0);
  waiter.join();
  CHECK_EQ(strays.load(), 0);
}

TEST(T33_pollers_that_end_with_polls_outstanding) {
  for (int round = 0; round < 50; round++) {
    Pair pair;
    int error = 0;
    auto poller = tripoll::OpenPoller("iocp", &error);
    CHECK_EQ(poller->Add({pair.fds[0], 1, 1, kInterestReadable, 0}), 0);
    CHECK_EQ(poller->Add({pair.fds[1], 2, 1, kInterestReadable | kInterestWritable, 0}), 0);
    if (round % 2 == 0) pair.Send('x');
    poller.reset();
  }
}

TEST(T36_a_wait_on_the_real_port_that_ends_empty) {
  int error = 0;
  auto poller = tripoll::OpenPoller("iocp", &error);
  EventRecord records[tripoll::kEventBatchSize];
  for (const int64_t timeout_ns : {int64_t{0}, int64_t{1}, int64_t{2'000'000}})
    CHECK_EQ(poller->Wait(timeout_ns, records).count, 0);
}

RUN_TESTS()
