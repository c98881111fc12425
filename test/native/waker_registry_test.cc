// The one process-wide state: an id is good until it is unregistered, and never comes back.
#include "waker_registry.h"

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "check.h"
#include "os_calls.h"

namespace {

std::unique_ptr<tripoll::Poller> Open() {
  int error = 0;
  return tripoll::OpenPoller(tripoll::kBackends[0], &error);
}

}  // namespace

TEST(a_wake_ends_the_next_wait) {
  const auto poller = Open();
  const uint64_t id = tripoll::RegisterWakeTarget(poller.get());
  CHECK_EQ(tripoll::WakeTarget(id), 0);
  std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
  CHECK(poller->Wait(-1, out.data()).woken);
  tripoll::UnregisterWakeTarget(id);
}

TEST(T56_an_id_is_dead_once_unregistered_and_is_never_reused) {
  const auto first = Open();
  const uint64_t id = tripoll::RegisterWakeTarget(first.get());
  tripoll::UnregisterWakeTarget(id);
  CHECK_EQ(tripoll::WakeTarget(id), -ENOENT);
  const auto second = Open();
  const uint64_t next = tripoll::RegisterWakeTarget(second.get());
  CHECK(next != id);
  CHECK_EQ(tripoll::WakeTarget(id), -ENOENT);
  tripoll::UnregisterWakeTarget(next);
}

// A wake that comes while its poller closes either reaches it or finds nothing; it never writes
// into an fd that has been closed, whose number may be a stranger's.
TEST(T56_wakes_from_other_threads_while_pollers_come_and_go) {
  std::atomic<uint64_t> id{0};
  std::atomic<bool> stop{false};
  std::atomic<int> strange{0};
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const int error = tripoll::WakeTarget(id);
        if (error != 0 && error != -ENOENT) ++strange;
        std::this_thread::yield();
      }
    });
  }
  for (int i = 0; i < 500; ++i) {
    auto poller = Open();
    const uint64_t mine = tripoll::RegisterWakeTarget(poller.get());
    id = mine;
    std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
    CHECK_EQ(tripoll::WakeTarget(mine), 0);
    CHECK(poller->Wait(-1, out.data()).woken);
    tripoll::UnregisterWakeTarget(mine);
    poller.reset();
    // Strangers with the numbers that the poller's fds had: nobody may have written to them.
    int pipe_fds[2];
    CHECK_EQ(tripoll::os::Pipe2(pipe_fds, O_NONBLOCK), 0);
    std::this_thread::yield();
    char byte = 0;
    CHECK_EQ(tripoll::os::Read(pipe_fds[0], &byte, 1), -EAGAIN);
    for (const int fd : pipe_fds) CHECK_EQ(tripoll::os::Close(fd), 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(strange.load(), 0);
}

RUN_TESTS()
