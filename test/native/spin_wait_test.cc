// What a wait does before it sleeps.
#include "spin_wait.h"

#include <vector>

#include "check.h"

namespace {

// Finds something at its n-th wait, and remembers the timeouts.
class CountingPoller final : public tripoll::Poller {
 public:
  CountingPoller(int at, tripoll::WaitResult found) : at_(at), found_(found) {}

  bool Supports(uint32_t /*mode*/) const override { return true; }
  int Add(const tripoll::Registration& /*r*/) override { return 0; }
  int Modify(const tripoll::Registration& /*r*/) override { return 0; }
  int Delete(int /*fd*/, uint32_t /*slot*/, uint32_t /*generation*/) override { return 0; }
  tripoll::WaitResult Wait(int64_t timeout_ns, tripoll::EventRecord* /*out*/) override {
    timeouts.push_back(timeout_ns);
    return static_cast<int>(timeouts.size()) == at_ ? found_ : tripoll::WaitResult{};
  }
  int Wake() override { return 0; }
  int SetDeadline(int64_t /*timeout_ns*/) override { return 0; }
  int NestableFd() const override { return -1; }
  int WatchHost(int /*host_fd*/) override { return 0; }
  int UnwatchHost() override { return 0; }

  std::vector<int64_t> timeouts;

 private:
  int at_;
  tripoll::WaitResult found_;
};

tripoll::WaitResult Found(int count, bool woken, bool host_ready) {
  tripoll::WaitResult result;
  result.count = count;
  result.woken = woken;
  result.host_ready = host_ready;
  return result;
}

constexpr int64_t kLongNs = 60'000'000'000;

}  // namespace

TEST(without_spinning_there_is_one_wait) {
  CountingPoller poller(1, Found(3, false, false));
  tripoll::Spin spin;
  CHECK_EQ(tripoll::WaitSpinning(&poller, &spin, 5000, nullptr).count, 3);
  CHECK_EQ(poller.timeouts.size(), size_t{1});
  CHECK_EQ(poller.timeouts[0], int64_t{5000});
  CHECK_EQ(spin.looks, uint64_t{0});
  CHECK_EQ(spin.sleeps, uint64_t{0});
}

TEST(who_does_not_want_to_wait_looks_once) {
  CountingPoller poller(5, Found(1, false, false));
  tripoll::Spin spin{kLongNs};
  CHECK_EQ(tripoll::WaitSpinning(&poller, &spin, 0, nullptr).count, 0);
  CHECK_EQ(poller.timeouts.size(), size_t{1});
}

TEST(T121_whatever_ends_a_wait_ends_the_looking) {
  const tripoll::WaitResult results[] = {Found(1, false, false), Found(0, true, false),
                                         Found(0, false, true), Found(-9, false, false)};
  for (const auto& found : results) {
    CountingPoller poller(4, found);
    tripoll::Spin spin{kLongNs};
    const auto result = tripoll::WaitSpinning(&poller, &spin, -1, nullptr);
    CHECK_EQ(result.count, found.count);
    CHECK_EQ(result.woken, found.woken);
    CHECK_EQ(result.host_ready, found.host_ready);
    CHECK(poller.timeouts == std::vector<int64_t>({0, 0, 0, 0}));
    CHECK_EQ(spin.looks, uint64_t{3});
    CHECK_EQ(spin.sleeps, uint64_t{0});
  }
}

TEST(it_sleeps_when_nothing_has_come) {
  CountingPoller poller(-1, Found(0, false, false));
  tripoll::Spin spin{1000};
  CHECK_EQ(tripoll::WaitSpinning(&poller, &spin, -1, nullptr).count, 0);
  CHECK_EQ(poller.timeouts.back(), int64_t{-1});
  CHECK_EQ(spin.looks, poller.timeouts.size() - 1);
  CHECK_EQ(spin.sleeps, uint64_t{1});
}

TEST(the_sleep_has_what_is_left_of_the_timeout) {
  CountingPoller poller(-1, Found(0, false, false));
  tripoll::Spin spin{1000};
  tripoll::WaitSpinning(&poller, &spin, kLongNs, nullptr);
  CHECK(poller.timeouts.back() > 0);
  CHECK(poller.timeouts.back() <= kLongNs - 1000);
  CHECK_EQ(spin.sleeps, uint64_t{1});
}

TEST(T121_it_does_not_look_for_longer_than_it_may_wait) {
  CountingPoller poller(-1, Found(0, false, false));
  tripoll::Spin spin{kLongNs};
  tripoll::WaitSpinning(&poller, &spin, 1000, nullptr);
  CHECK_EQ(poller.timeouts.back(), int64_t{0});
  CHECK_EQ(spin.sleeps, uint64_t{0});
}

RUN_TESTS();
