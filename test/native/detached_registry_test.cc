// Fds between two threads: each is claimed once or closed once, and a name never means another's.
#include "detached_registry.h"

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "check.h"
#include "os_calls.h"

namespace {

constexpr uint32_t kKind = 7;
const int kOwner = 0;
const int kOtherOwner = 0;

// The write end is detached; the read end tells when it has been closed.
struct Tube {
  Tube() { CHECK_EQ(tripoll::os::Pipe2(fds, O_NONBLOCK), 0); }
  Tube(const Tube&) = delete;
  Tube& operator=(const Tube&) = delete;
  ~Tube() { CHECK_EQ(tripoll::os::Close(fds[0]), 0); }
  tripoll::DetachedName Detach(const void* owner = &kOwner) const {
    return tripoll::Detach(owner, fds[1], kKind);
  }
  bool IsClosed() const {
    char byte = 0;
    return tripoll::os::Read(fds[0], &byte, 1) == 0;
  }
  int fds[2] = {-1, -1};
};

}  // namespace

TEST(a_claim_gives_the_fd_once) {
  const Tube tube;
  const tripoll::DetachedName name = tube.Detach();
  CHECK_EQ(tripoll::Claim(name, kKind), tube.fds[1]);
  CHECK_EQ(tripoll::Claim(name, kKind), -ENOENT);
  CHECK_EQ(tripoll::CloseDetached(name), -ENOENT);
  CHECK_EQ(tripoll::ChangeOwner(name, &kOwner), -ENOENT);
  tripoll::CloseDetachedOf(&kOwner);
  CHECK(!tube.IsClosed());
  CHECK_EQ(tripoll::os::Close(tube.fds[1]), 0);
}

TEST(T56_a_made_up_name_finds_nothing_and_takes_nothing_away) {
  const Tube tube;
  const tripoll::DetachedName name = tube.Detach();
  CHECK_EQ(tripoll::Claim({name.id, name.key ^ 1}, kKind), -ENOENT);
  CHECK_EQ(tripoll::Claim({name.id + 1, name.key}, kKind), -ENOENT);
  CHECK_EQ(tripoll::Claim({0, 0}, kKind), -ENOENT);
  CHECK_EQ(tripoll::CloseDetached({name.id, 0}), -ENOENT);
  CHECK_EQ(tripoll::ChangeOwner({name.id, 0}, &kOtherOwner), -ENOENT);
  CHECK_EQ(tripoll::Claim(name, kKind + 1), -EINVAL);
  CHECK_EQ(tripoll::Claim(name, kKind), tube.fds[1]);
  CHECK_EQ(tripoll::os::Close(tube.fds[1]), 0);
}

TEST(T56_ids_and_keys_are_never_reused) {
  const Tube tube;
  const tripoll::DetachedName first = tube.Detach();
  CHECK_EQ(tripoll::Claim(first, kKind), tube.fds[1]);
  const tripoll::DetachedName second = tube.Detach();
  CHECK(second.id != first.id);
  CHECK(second.key != first.key);
  CHECK((second.key & ~tripoll::kDetachedKeyMask) == 0);
  CHECK_EQ(tripoll::Claim(first, kKind), -ENOENT);
  CHECK_EQ(tripoll::CloseDetached(second), 0);
  CHECK(tube.IsClosed());
}

TEST(what_was_claimed_can_be_given_back_by_its_own_name) {
  const Tube tube;
  const tripoll::DetachedName name = tube.Detach();
  CHECK_EQ(tripoll::GiveBack(&kOwner, name, tube.fds[1], kKind), -EINVAL);
  CHECK_EQ(tripoll::Claim(name, kKind), tube.fds[1]);
  CHECK_EQ(tripoll::GiveBack(&kOwner, {name.id, name.key ^ 1}, tube.fds[1], kKind), -EINVAL);
  CHECK_EQ(tripoll::GiveBack(&kOwner, {name.id + 1, name.key}, tube.fds[1], kKind), -EINVAL);
  CHECK_EQ(tripoll::GiveBack(&kOtherOwner, name, tube.fds[1], kKind), 0);
  tripoll::CloseDetachedOf(&kOwner);
  CHECK(!tube.IsClosed());
  CHECK_EQ(tripoll::Claim(name, kKind), tube.fds[1]);
  CHECK_EQ(tripoll::os::Close(tube.fds[1]), 0);
}

TEST(T50_the_end_of_an_owner_closes_what_is_its_own_and_nothing_else) {
  const Tube unclaimed;
  const Tube adopted;
  const Tube others;
  static_cast<void>(unclaimed.Detach());
  const tripoll::DetachedName moved = adopted.Detach();
  static_cast<void>(others.Detach(&kOtherOwner));
  CHECK_EQ(tripoll::ChangeOwner(moved, &kOtherOwner), 0);
  tripoll::CloseDetachedOf(&kOwner);
  CHECK(unclaimed.IsClosed());
  CHECK(!adopted.IsClosed());
  CHECK(!others.IsClosed());
  tripoll::CloseDetachedOf(&kOtherOwner);
  CHECK(adopted.IsClosed());
  CHECK(others.IsClosed());
  CHECK_EQ(tripoll::Claim(moved, kKind), -ENOENT);
}

// Threads that claim, one that closes, and one whose owner ends: exactly one of them has each fd.
TEST(of_threads_that_race_for_an_fd_one_has_it) {
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    const Tube tube;
    const tripoll::DetachedName name = tube.Detach();
    std::atomic<int> claimed{0};
    std::atomic<int> closed{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        while (!go) std::this_thread::yield();
        if (tripoll::Claim(name, kKind) >= 0) ++claimed;
      });
    }
    threads.emplace_back([&] {
      while (!go) std::this_thread::yield();
      if (tripoll::CloseDetached(name) == 0) ++closed;
    });
    threads.emplace_back([&] {
      while (!go) std::this_thread::yield();
      tripoll::CloseDetachedOf(&kOwner);
    });
    go = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(claimed + closed <= 1);
    CHECK_EQ(tube.IsClosed(), claimed == 0);
    if (claimed == 1) CHECK_EQ(tripoll::os::Close(tube.fds[1]), 0);
  }
}

RUN_TESTS()
