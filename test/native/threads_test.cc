// Two threads at one poller, as the watcher driver has them: one waits, the owner adds, modifies,
// deletes and wakes. For every backend; a run under -fsanitize=thread looks at the locks.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "os_calls.h"
#include "poller.h"

namespace {

using std::chrono::steady_clock;

constexpr auto kDeadline = std::chrono::seconds(10);
constexpr uint32_t kRead = tripoll::kInterestReadable;

// Waits in a thread of its own and notes what came.
class Waiter {
 public:
  explicit Waiter(const std::string& backend) {
    int error = 0;
    poller_ = tripoll::OpenPoller(backend, &error);
    CHECK_EQ(error, 0);
    thread_ = std::thread([this] { Run(); });
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    quit_ = true;
    CHECK_EQ(poller_->Wake(), 0);
    thread_.join();
  }

  tripoll::Poller& poller() { return *poller_; }

  // False when it has not come within the deadline.
  bool Saw(uint32_t slot, uint32_t generation) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return seen_.count({slot, generation}) != 0; });
  }

  bool HasSeen(uint32_t slot, uint32_t generation) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return seen_.count({slot, generation}) != 0;
  }

  // Returns when a wait that began after this call has ended: what was found before it is noted.
  bool Pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    const int target = wakes_ + 1;
    lock.unlock();
    if (poller_->Wake() != 0) return false;
    lock.lock();
    return changed_.wait_for(lock, kDeadline, [&] { return wakes_ >= target; });
  }

  int errors() const { return errors_; }

 private:
  void Run() {
    std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
    while (!quit_) {
      const tripoll::WaitResult result = poller_->Wait(-1, out.data());
      const std::lock_guard<std::mutex> lock(mutex_);
      if (result.count < 0) ++errors_;
      for (int i = 0; i < result.count; ++i) {
        const tripoll::EventRecord& record = out[static_cast<size_t>(i)];
        ++seen_[{record.slot, record.generation}];
      }
      if (result.woken) ++wakes_;
      changed_.notify_all();
    }
  }

  std::unique_ptr<tripoll::Poller> poller_;
  std::thread thread_;
  std::atomic<bool> quit_{false};
  std::atomic<int> errors_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<uint32_t, uint32_t>, int> seen_;
  int wakes_ = 0;
};

struct Pair {
  int fds[2];
  Pair() {
    CHECK_EQ(tripoll::os::Socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (const int fd : fds) CHECK(tripoll::os::Fcntl(fd, F_SETFL, O_NONBLOCK) >= 0);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    for (const int fd : fds) CHECK_EQ(tripoll::os::Close(fd), 0);
  }
  void Send() const { CHECK_EQ(tripoll::os::Write(fds[1], "x", 1), 1); }
};

template <typename F>
void ForEachBackend(F test) {
  for (int i = 0; i < tripoll::kBackendCount; ++i) test(std::string(tripoll::kBackends[i]));
}

}  // namespace

TEST(what_is_added_during_a_wait_is_seen_and_what_is_deleted_is_not) {
  ForEachBackend([](const std::string& backend) {
    Waiter waiter(backend);
    for (uint32_t round = 1; round <= 300; ++round) {
      const Pair pair;
      CHECK_EQ(waiter.poller().Add({pair.fds[0], 7, round, kRead, tripoll::kModeOneshot}), 0);
      pair.Send();
      CHECK(waiter.Saw(7, round));
      CHECK_EQ(waiter.poller().Delete(pair.fds[0], 7, round), 0);
      // The same number again, for a token that is deleted before there is anything to tell.
      CHECK_EQ(tripoll::os::Read(pair.fds[0], std::vector<char>(1).data(), 1), 1);
      CHECK_EQ(waiter.poller().Add({pair.fds[0], 8, round, kRead, tripoll::kModeLevel}), 0);
      CHECK_EQ(waiter.poller().Delete(pair.fds[0], 8, round), 0);
      if (round % 20 == 0) CHECK(waiter.Pass());
      pair.Send();
      if (round % 20 == 0) CHECK(waiter.Pass());
      CHECK(!waiter.HasSeen(8, round));
    }
    CHECK_EQ(waiter.errors(), 0);
  });
}

TEST(a_modify_during_a_wait_is_applied_at_once) {
  ForEachBackend([](const std::string& backend) {
    Waiter waiter(backend);
    const Pair pair;
    CHECK_EQ(waiter.poller().Add({pair.fds[0], 1, 0, kRead, tripoll::kModeOneshot}), 0);
    for (uint32_t i = 0; i < 200; ++i) {
      // A writable socket is so at once; paused again by its oneshot, it is rearmed here.
      const uint32_t interest = i % 2 == 0 ? tripoll::kInterestWritable : kRead;
      const tripoll::Registration next{pair.fds[0], 1, 0, interest, tripoll::kModeOneshot};
      if (i % 2 == 1) pair.Send();
      CHECK_EQ(waiter.poller().Modify(next), 0);
      CHECK(waiter.Saw(1, 0));
    }
    CHECK_EQ(waiter.poller().Delete(pair.fds[0], 1, 0), 0);
  });
}

TEST(an_earlier_deadline_cuts_a_wait_short) {
  ForEachBackend([](const std::string& backend) {
    int error = 0;
    const auto poller = tripoll::OpenPoller(backend, &error);
    std::atomic<bool> done{false};
    std::thread thread([&] {
      std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
      const auto start = steady_clock::now();
      CHECK_EQ(poller->Wait(int64_t{60} * 1'000'000'000, out.data()).count, 0);
      CHECK(steady_clock::now() - start < kDeadline);
      done = true;
    });
    CHECK_EQ(poller->SetDeadline(int64_t{60} * 1'000'000'000), 0);
    CHECK_EQ(poller->SetDeadline(5'000'000), 0);
    thread.join();
    CHECK(done);
  });
}

TEST(many_threads_wake_while_the_owner_changes_registrations) {
  ForEachBackend([](const std::string& backend) {
    Waiter waiter(backend);
    std::atomic<bool> stop{false};
    std::atomic<int> failed{0};
    std::vector<std::thread> wakers;
    wakers.reserve(2);
    for (int i = 0; i < 2; ++i) {
      wakers.emplace_back([&] {
        while (!stop) {
          if (waiter.poller().Wake() != 0) ++failed;
          std::this_thread::yield();
        }
      });
    }
    std::vector<std::unique_ptr<Pair>> pairs;
    for (uint32_t slot = 0; slot < 50; ++slot) pairs.push_back(std::make_unique<Pair>());
    for (uint32_t generation = 1; generation <= 20; ++generation) {
      for (uint32_t slot = 0; slot < 50; ++slot) {
        CHECK_EQ(waiter.poller().Add(
                     {pairs[slot]->fds[0], slot, generation, kRead, tripoll::kModeOneshot}),
                 0);
        if (generation == 1) pairs[slot]->Send();
      }
      for (uint32_t slot = 0; slot < 50; ++slot) {
        CHECK(waiter.Saw(slot, generation));
        CHECK_EQ(waiter.poller().Delete(pairs[slot]->fds[0], slot, generation), 0);
      }
    }
    stop = true;
    for (std::thread& waker : wakers) waker.join();
    CHECK_EQ(failed.load(), 0);
    CHECK_EQ(waiter.errors(), 0);
  });
}

RUN_TESTS()
