// Real pipes, and two threads: one waits in the poller, the other reads, writes and closes at
// moments of its own.
#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "os_errno.h"
#include "poller.h"
#include "socket_calls.h"
#include "windows/pipe_calls.h"

namespace {

using tripoll::EventRecord;
using tripoll::kInterestReadable;
using tripoll::kInterestWritable;
using tripoll::kModeLevel;
using tripoll::Poller;

constexpr uint32_t kBoth = kInterestReadable | kInterestWritable;
constexpr int64_t kDeadlineNs = 10'000'000'000;

std::string NewName() {
  static int count = 0;
  return "\\\\.\\pipe\\tripoll-native-" + std::to_string(GetCurrentProcessId()) + "-" +
         std::to_string(++count);
}

std::unique_ptr<Poller> OpenPoller() {
  int error = 0;
  auto poller = tripoll::OpenPoller("iocp", &error);
  CHECK_EQ(error, 0);
  return poller;
}

// A listener, and both ends of one connection of it, all of one poller.
struct Pipes {
  int listener = -1;
  int client = -1;
  int server = -1;

  explicit Pipes(Poller* poller, uint32_t interest = kBoth) {
    const std::string name = NewName();
    listener = tripoll::ListenOnPipe(name, 2, false);
    CHECK_EQ(listener > 0, true);
    CHECK_EQ(poller->Add({listener, 0, 1, kInterestReadable, kModeLevel}), 0);
    client = tripoll::ConnectToPipe(name);
    CHECK_EQ(client > 0, true);
    CHECK_EQ(poller->Add({client, 1, 1, interest, kModeLevel}), 0);
    std::vector<EventRecord> records(tripoll::kEventBatchSize);
    for (int i = 0; i < 1000 && server < 0; i++) {
      poller->Wait(i == 0 ? 0 : 1'000'000, records.data());
      server = tripoll::os::Accept4(listener, nullptr, nullptr, 0);
    }
    CHECK_EQ(server > 0, true);
    CHECK_EQ(poller->Add({server, 2, 1, interest, kModeLevel}), 0);
  }
  Pipes(const Pipes&) = delete;
  Pipes& operator=(const Pipes&) = delete;

  void Close(Poller* poller) const {
    CHECK_EQ(poller->Delete(client, 1, 1), 0);
    CHECK_EQ(poller->Delete(server, 2, 1), 0);
    CHECK_EQ(poller->Delete(listener, 0, 1), 0);
    for (const int fd : {client, server, listener}) CHECK_EQ(tripoll::os::Close(fd), 0);
  }
};

}  // namespace

TEST(bytes_come_in_order_while_another_thread_waits) {
  const auto poller = OpenPoller();
  const Pipes pipes(poller.get());
  std::atomic<bool> stop{false};
  std::thread waiting([&] {
    std::vector<EventRecord> records(tripoll::kEventBatchSize);
    while (!stop.load()) poller->Wait(1'000'000, records.data());
  });
  constexpr size_t kTotal = 4'000'000;
  size_t sent = 0;
  size_t received = 0;
  size_t wrong = 0;
  std::vector<char> chunk(50'000);
  std::mt19937 random(9);
  while (received < kTotal) {
    if (sent < kTotal) {
      const size_t length = std::min<size_t>(1 + random() % chunk.size(), kTotal - sent);
      for (size_t i = 0; i < length; i++) chunk[i] = static_cast<char>((sent + i) % 251);
      const int taken = tripoll::os::Send(pipes.client, chunk.data(), length, 0);
      if (taken > 0) sent += static_cast<size_t>(taken);
      CHECK_EQ(taken > 0 || taken == -EAGAIN, true);
    }
    const int got = tripoll::os::Recv(pipes.server, chunk.data(), 1 + random() % chunk.size(), 0);
    CHECK_EQ(got > 0 || got == -EAGAIN, true);
    if (got == 0) break;
    for (int i = 0; i < got; i++) {
      if (chunk[static_cast<size_t>(i)] !=
          static_cast<char>((received + static_cast<size_t>(i)) % 251))
        wrong++;
    }
    if (got > 0) received += static_cast<size_t>(got);
  }
  CHECK_EQ(received, kTotal);
  CHECK_EQ(wrong, size_t{0});
  stop = true;
  waiting.join();
  pipes.Close(poller.get());
}

TEST(T100_closes_against_packets_five_hundred_times) {
  const auto poller = OpenPoller();
  std::atomic<bool> stop{false};
  std::thread waiting;
  std::mt19937 random(7);
  const std::vector<char> bytes(200'000, 'x');
  std::vector<char> buffer(10'000);
  for (int round = 0; round < 500; round++) {
    const Pipes pipes(poller.get());
    stop = false;
    waiting = std::thread([&] {
      std::vector<EventRecord> records(tripoll::kEventBatchSize);
      while (!stop.load()) poller->Wait(1'000'000, records.data());
    });
    for (int i = static_cast<int>(random() % 8); i > 0; i--) {
      const int from = random() % 2 == 0 ? pipes.client : pipes.server;
      const int result = random() % 3 == 0
                             ? tripoll::os::Recv(from, buffer.data(), buffer.size(), 0)
                             : tripoll::os::Send(from, bytes.data(), bytes.size(), 0);
      CHECK_EQ(result > 0 || result == -EAGAIN, true);
    }
    for (uint32_t spin = random() % 64; spin > 0; spin--) std::this_thread::yield();
    pipes.Close(poller.get());
    stop = true;
    waiting.join();
  }
  CHECK_EQ(tripoll::MayBePipe(), false);
}

TEST(T33_a_poller_that_ends_with_all_under_way) {
  const std::vector<char> bytes(200'000, 'x');
  for (int round = 0; round < 50; round++) {
    auto poller = OpenPoller();
    const Pipes pipes(poller.get());
    for (const int fd : {pipes.client, pipes.server}) {
      CHECK_EQ(tripoll::os::Send(fd, bytes.data(), bytes.size(), 0) > 0, true);
      CHECK_EQ(tripoll::os::Send(fd, bytes.data(), bytes.size(), 0), -EAGAIN);
    }
    poller.reset();
    // Whoever still holds them is told, and may close them.
    char byte = 0;
    CHECK_EQ(tripoll::os::Recv(pipes.server, &byte, 1, 0), -ECANCELED);
    CHECK_EQ(tripoll::os::Accept4(pipes.listener, nullptr, nullptr, 0), -ECANCELED);
    for (const int fd : {pipes.client, pipes.server, pipes.listener})
      CHECK_EQ(tripoll::os::Close(fd), 0);
  }
  CHECK_EQ(tripoll::MayBePipe(), false);
}

TEST(T02_a_pipe_that_is_closed_behind_its_poller_is_told_once) {
  const auto poller = OpenPoller();
  const Pipes pipes(poller.get(), 0);
  CHECK_EQ(tripoll::os::Close(pipes.client), 0);
  std::vector<EventRecord> records(tripoll::kEventBatchSize);
  int told = 0;
  for (int i = 0; i < 3; i++) {
    const auto result = poller->Wait(i == 0 ? kDeadlineNs : 1'000'000, records.data());
    for (int at = 0; at < result.count; at++) {
      if (records[static_cast<size_t>(at)].slot != 1) continue;
      told++;
      CHECK_EQ(records[static_cast<size_t>(at)].readiness >> tripoll::kReadinessErrnoShift,
               static_cast<uint32_t>(EBADF));
    }
  }
  CHECK_EQ(told, 1);
  CHECK_EQ(poller->Delete(pipes.client, 1, 1), 1);
  CHECK_EQ(poller->Delete(pipes.server, 2, 1), 0);
  CHECK_EQ(tripoll::os::Close(pipes.server), 0);
  CHECK_EQ(poller->Delete(pipes.listener, 0, 1), 0);
  CHECK_EQ(tripoll::os::Close(pipes.listener), 0);
}

RUN_TESTS()
