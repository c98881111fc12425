// The poll(2) backend between a poll that has returned and the records made of it, and when calls
// fail.
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "check.h"
#include "faulty_os_calls.h"
#include "os_calls.h"
#include "unix/poll_poller.h"

namespace {

constexpr uint32_t kRead = tripoll::kInterestReadable;
constexpr uint32_t kWrite = tripoll::kInterestWritable;

// A poller and a stream socket pair, whose first end has a byte to read.
struct Fixture {
  std::unique_ptr<tripoll::Poller> poller;
  std::vector<tripoll::EventRecord> out;
  int fds[2];

  Fixture() : out(tripoll::kEventBatchSize) {
    fault::Reset();
    int error = 0;
    poller = tripoll::PollPoller::Open(&error);
    CHECK_EQ(tripoll::os::Socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_EQ(tripoll::os::Write(fds[1], "x", 1), 1);
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() {
    for (const int fd : fds) CHECK_EQ(tripoll::os::Close(fd), 0);
  }

  tripoll::Registration First(uint32_t generation, uint32_t interest, uint32_t mode) const {
    return {fds[0], 1, generation, interest, mode};
  }
  int Wait() { return poller->Wait(0, out.data()).count; }
};

}  // namespace

TEST(an_answer_to_an_older_question_does_not_use_up_a_oneshot) {
  Fixture f;
  CHECK_EQ(f.poller->Add(f.First(1, kRead, tripoll::kModeOneshot)), 0);
  fault::After("Poll",
               [&f] { CHECK_EQ(f.poller->Modify(f.First(1, kWrite, tripoll::kModeOneshot)), 0); });
  CHECK_EQ(f.Wait(), 0);
  CHECK_EQ(f.Wait(), 1);
  CHECK_EQ(f.out[0].readiness, uint32_t{tripoll::kWritable});
  CHECK_EQ(f.Wait(), 0);
}

TEST(T10_a_wait_with_a_paused_fd_in_error_is_one_system_call) {
  Fixture f;
  int fds[2];
  CHECK_EQ(tripoll::os::Pipe2(fds, 0), 0);
  CHECK_EQ(f.poller->Add({fds[1], 2, 1, 0, tripoll::kModeLevel}), 0);
  CHECK_EQ(tripoll::os::Close(fds[0]), 0);
  fault::Reset();
  CHECK_EQ(f.poller->Wait(20'000'000, f.out.data()).count, 0);
  // A second where the first ended a moment too early.
  CHECK(fault::Calls("Poll") <= 2);
  CHECK_EQ(tripoll::os::Close(fds[1]), 0);
}

TEST(T01_an_event_found_before_a_change_of_owner_reaches_neither_owner) {
  Fixture f;
  CHECK_EQ(f.poller->Add(f.First(1, kRead, tripoll::kModeLevel)), 0);
  fault::After("Poll", [&f] {
    CHECK_EQ(f.poller->Delete(f.fds[0], 1, 1), 0);
    CHECK_EQ(f.poller->Add(f.First(2, kRead, tripoll::kModeLevel)), 0);
  });
  CHECK_EQ(f.Wait(), 0);
  CHECK_EQ(f.Wait(), 1);
  CHECK_EQ(f.out[0].generation, 2u);
}

TEST(a_registration_deleted_or_paused_meanwhile_gets_no_record) {
  for (const bool pause : {false, true}) {
    Fixture f;
    CHECK_EQ(f.poller->Add(f.First(1, kRead, tripoll::kModeLevel)), 0);
    fault::After("Poll", [&f, pause] {
      if (pause) CHECK_EQ(f.poller->Modify(f.First(1, 0, tripoll::kModeLevel)), 0);
      if (!pause) CHECK_EQ(f.poller->Delete(f.fds[0], 1, 1), 0);
    });
    CHECK_EQ(f.Wait(), 0);
  }
}

TEST(a_wake_between_poll_and_its_end_is_not_lost) {
  Fixture f;
  fault::After("Poll", [&f] { CHECK_EQ(f.poller->Wake(), 0); });
  CHECK(f.poller->Wait(1'000'000, f.out.data()).woken);
  // Its byte, which was not read by then, ends no other wait.
  CHECK(!f.poller->Wait(2'000'000, f.out.data()).woken);
}

TEST(a_wait_that_is_interrupted_returns_early_with_nothing) {
  Fixture f;
  fault::Inject("Poll", EINTR);
  const tripoll::WaitResult result = f.poller->Wait(-1, f.out.data());
  CHECK_EQ(result.count, 0);
  CHECK(!result.woken);
}

TEST(T14_a_wait_below_a_millisecond_sleeps_instead_of_spinning) {
  Fixture f;
  const auto start = std::chrono::steady_clock::now();
  CHECK_EQ(f.poller->Wait(900'000, f.out.data()).count, 0);
  CHECK(std::chrono::steady_clock::now() - start >= std::chrono::nanoseconds(900'000));
  // Two where the first ended a shade before the clock said so.
  CHECK(fault::Calls("Poll") <= 2);
}

TEST(T57_an_earlier_deadline_cuts_a_wait_short_that_has_begun) {
  Fixture f;
  CHECK_EQ(f.poller->SetDeadline(int64_t{60} * 1'000'000'000), 0);
  const auto start = std::chrono::steady_clock::now();
  std::thread waiter([&f] { CHECK(f.poller->Wait(-1, f.out.data()).woken); });
  while (fault::Calls("Poll") == 0) std::this_thread::yield();
  CHECK_EQ(f.poller->SetDeadline(2'000'000), 0);
  waiter.join();
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
}

// In ms these are 2^31, which is -2^31 as an int, and 2^32, which is 0: poll(2) would return at
// once, and the wait would spin.
TEST(T14_a_long_timeout_does_not_overflow_into_a_spin) {
  for (const int64_t timeout_ms : {int64_t{1} << 31, int64_t{1} << 32}) {
    Fixture f;
    std::thread waiter([&] { CHECK(f.poller->Wait(timeout_ms * 1'000'000, f.out.data()).woken); });
    while (fault::Calls("Poll") == 0) std::this_thread::yield();
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(5)) {
      std::this_thread::yield();
    }
    CHECK_EQ(fault::Calls("Poll"), 1);
    CHECK_EQ(f.poller->Wake(), 0);
    waiter.join();
  }
}

TEST(another_error_of_a_wait_is_told) {
  Fixture f;
  fault::Inject("Poll", ENOMEM);
  CHECK_EQ(f.poller->Wait(0, f.out.data()).count, -ENOMEM);
}

TEST(a_full_pipe_wakes_as_well) {
  Fixture f;
  fault::Inject("Write", EAGAIN);
  CHECK_EQ(f.poller->Wake(), 0);
  CHECK(f.poller->Wait(-1, f.out.data()).woken);
  fault::Inject("Write", EBADF);
  CHECK_EQ(f.poller->Wake(), -EBADF);
}

TEST(an_open_that_fails_leaves_no_fd_open) {
  fault::Reset();
  fault::Inject("Pipe2", EMFILE);
  int error = 0;
  CHECK(tripoll::PollPoller::Open(&error) == nullptr);
  CHECK_EQ(error, -EMFILE);
  CHECK_EQ(fault::Calls("Close"), 0);
}

TEST(T19_a_half_close_is_no_end_of_writing_where_POLLHUP_is_of_either_direction) {
  Fixture f;
  fault::PollAsXnu();
  CHECK_EQ(f.poller->Add(f.First(1, kRead | kWrite, tripoll::kModeLevel)), 0);
  CHECK_EQ(tripoll::os::Shutdown(f.fds[1], SHUT_WR), 0);
  CHECK_EQ(f.Wait(), 1);
  CHECK_EQ(f.out[0].readiness,
           uint32_t{tripoll::kReadable} | tripoll::kWritable | tripoll::kReadClosed);
  // Of writing alone nothing has ended.
  CHECK_EQ(f.poller->Modify(f.First(1, kWrite, tripoll::kModeLevel)), 0);
  CHECK_EQ(f.Wait(), 1);
  CHECK_EQ(f.out[0].readiness, uint32_t{tripoll::kWritable});
  CHECK_EQ(tripoll::os::Shutdown(f.fds[1], SHUT_RD), 0);
  CHECK_EQ(f.Wait(), 1);
  CHECK((f.out[0].readiness & tripoll::kWriteClosed) != 0);
  CHECK_EQ(f.out[0].readiness & tripoll::kReadClosed, 0u);
}

TEST(T19_who_waits_for_PRIORITY_alone_is_told_of_the_end_once_and_nobody_spins) {
  Fixture f;
  fault::PollAsXnu();
  CHECK_EQ(f.poller->Add(f.First(1, tripoll::kInterestPriority, tripoll::kModeLevel)), 0);
  CHECK_EQ(tripoll::os::Shutdown(f.fds[1], SHUT_WR), 0);
  CHECK_EQ(f.Wait(), 1);
  CHECK((f.out[0].readiness & tripoll::kReadClosed) != 0);
  for (int i = 0; i < 3; i++) CHECK_EQ(f.Wait(), 0);
  CHECK_EQ(f.poller->Modify(f.First(1, kRead, tripoll::kModeLevel)), 0);
  CHECK_EQ(f.Wait(), 1);
}

TEST(T19_an_error_without_POLLERR_wakes_who_reads_and_who_writes) {
  for (const uint32_t interest : {kRead, kWrite}) {
    Fixture f;
    int fds[2];
    CHECK_EQ(tripoll::os::Socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    // Unread bytes at the close: ECONNRESET at the other end.
    CHECK_EQ(tripoll::os::Write(fds[0], "x", 1), 1);
    CHECK_EQ(tripoll::os::Close(fds[1]), 0);
    fault::PollAsXnu();
    CHECK_EQ(f.poller->Add({fds[0], 2, 1, interest, tripoll::kModeLevel}), 0);
    CHECK_EQ(f.Wait(), 1);
    CHECK((f.out[0].readiness & interest) != 0);
    CHECK_EQ(f.out[0].readiness & tripoll::kError, 0u);
    CHECK_EQ(tripoll::os::Close(fds[0]), 0);
  }
}

TEST(an_unknown_backend_opens_nothing) {
  int error = 0;
  CHECK(tripoll::OpenPoller("kqueue", &error) == nullptr);
  CHECK_EQ(error, -ENOTSUP);
}

RUN_TESTS()
