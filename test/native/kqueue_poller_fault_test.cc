// What the kqueue backend does when a kernel says what one may not be at hand to say.
#include <fcntl.h>

#include <cerrno>
#include <chrono>

#include "bsd/kqueue_poller.h"
#include "check.h"
#include "faulty_os_calls.h"
#include "os_calls.h"

namespace {

constexpr uint32_t kRead = tripoll::kInterestReadable;
constexpr uint32_t kWrite = tripoll::kInterestWritable;
constexpr int64_t kSecondNs = 1'000'000'000;

struct Fixture {
  Fixture() {
    fault::Reset();
    poller = tripoll::KqueuePoller::Open(&error);
    CHECK_EQ(error, 0);
    CHECK_EQ(tripoll::os::Pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  }
  ~Fixture() {
    fault::Reset();
    for (const int fd : fds) static_cast<void>(tripoll::os::Close(fd));
  }
  int Add(int fd, uint32_t interest) const {
    return poller->Add({fd, 1, 1, interest, tripoll::kModeLevel});
  }

  int error = 0;
  int fds[2] = {-1, -1};
  std::unique_ptr<tripoll::Poller> poller;
  std::vector<tripoll::EventRecord> out{tripoll::kEventBatchSize};
};

}  // namespace

TEST(T20_an_interrupted_change_was_applied) {
  Fixture fixture;
  fault::Inject("Kevent after", EINTR);
  CHECK_EQ(fixture.Add(fixture.fds[0], kRead), 0);
  CHECK_EQ(tripoll::os::Write(fixture.fds[1], "x", 1), 1);
  CHECK_EQ(fixture.poller->Wait(kSecondNs, fixture.out.data()).count, 1);
  fault::Inject("Kevent after", EINTR);
  CHECK_EQ(fixture.poller->Modify({fixture.fds[0], 1, 1, 0, tripoll::kModeLevel}), 0);
  CHECK_EQ(fixture.poller->Wait(0, fixture.out.data()).count, 0);
  fault::Inject("Kevent after", EINTR);
  CHECK_EQ(fixture.poller->Delete(fixture.fds[0], 1, 1), 0);
  CHECK_EQ(fixture.Add(fixture.fds[0], kRead), 0);
}

TEST(T10_a_wait_with_a_paused_end_is_one_system_call) {
  Fixture fixture;
  CHECK_EQ(fixture.Add(fixture.fds[0], 0), 0);
  CHECK_EQ(tripoll::os::Write(fixture.fds[1], "x", 1), 1);
  CHECK_EQ(tripoll::os::Close(fixture.fds[1]), 0);
  fixture.fds[1] = -1;
  fault::Reset();
  CHECK_EQ(fixture.poller->Wait(20'000'000, fixture.out.data()).count, 0);
  // A second where the first ended a moment too early.
  CHECK(fault::Calls("Kevent") <= 2);
}

TEST(T20_an_interrupted_wait_returns_early_with_nothing) {
  Fixture fixture;
  fault::Inject("Kevent", EINTR);
  CHECK_EQ(fixture.poller->Wait(-1, fixture.out.data()).count, 0);
}

TEST(T20_ENOENT_of_a_delete_says_that_the_system_had_dropped_it) {
  for (const int said : {ENOENT, EBADF}) {
    Fixture fixture;
    CHECK_EQ(fixture.Add(fixture.fds[0], kRead), 0);
    fault::Inject("Receipt", said);
    CHECK_EQ(fixture.poller->Delete(fixture.fds[0], 1, 1), 1);
    CHECK_EQ(fixture.poller->Modify({fixture.fds[0], 1, 1, kRead, tripoll::kModeLevel}), -ENOENT);
  }
}

// EPIPE on FreeBSD, OpenBSD and old macOS, EBADF on NetBSD; the read filter was taken.
TEST(T20_a_write_filter_that_the_system_refuses_for_want_of_a_reader_is_told_as_an_error) {
  for (const int said : {EPIPE, EBADF}) {
    Fixture fixture;
    fault::Inject("Receipt of EVFILT_WRITE", said);
    CHECK_EQ(fixture.Add(fixture.fds[1], kWrite), 0);
    for (int i = 0; i < 2; i++) {
      CHECK_EQ(fixture.poller->Wait(kSecondNs, fixture.out.data()).count, 1);
      CHECK((fixture.out[0].readiness & tripoll::kError) != 0);
      CHECK_EQ(fixture.out[0].readiness >> tripoll::kReadinessErrnoShift,
               static_cast<uint32_t>(EPIPE));
    }
    CHECK_EQ(fixture.poller->Modify({fixture.fds[1], 1, 1, 0, tripoll::kModeLevel}), 0);
    CHECK_EQ(fixture.poller->Wait(0, fixture.out.data()).count, 0);
  }
}

TEST(T22_a_tty_that_the_system_refuses_is_a_clear_error_and_leaves_nothing_behind) {
  Fixture fixture;
  fault::Inject("Receipt", EINVAL, fault::kForEver);
  CHECK_EQ(fixture.Add(fixture.fds[0], kRead), -EINVAL);
  fault::Inject("Receipt", 0, 0);
  CHECK_EQ(fixture.poller->Delete(fixture.fds[0], 1, 1), 1);
  CHECK_EQ(tripoll::os::Write(fixture.fds[1], "x", 1), 1);
  CHECK_EQ(fixture.poller->Wait(0, fixture.out.data()).count, 0);
  CHECK_EQ(fixture.Add(fixture.fds[0], kRead), 0);
}

TEST(an_error_of_the_whole_call_is_told) {
  Fixture fixture;
  fault::Inject("Kevent", ENOMEM);
  CHECK_EQ(fixture.Add(fixture.fds[0], kRead), -ENOMEM);
  CHECK_EQ(fixture.Add(fixture.fds[0], kRead), 0);
  fault::Inject("Kevent", ENOMEM);
  CHECK_EQ(fixture.poller->Modify({fixture.fds[0], 1, 1, 0, tripoll::kModeLevel}), -ENOMEM);
  fault::Inject("Kevent", EFAULT);
  CHECK_EQ(fixture.poller->Wait(0, fixture.out.data()).count, -EFAULT);
}

TEST(T08_a_delete_that_fails_has_cleaned_up_all_the_same) {
  Fixture fixture;
  CHECK_EQ(fixture.Add(fixture.fds[0], kRead), 0);
  fault::Inject("Kevent", EIO);
  CHECK_EQ(fixture.poller->Delete(fixture.fds[0], 1, 1), -EIO);
  CHECK_EQ(fixture.poller->Modify({fixture.fds[0], 1, 1, 0, tripoll::kModeLevel}), -ENOENT);
}

TEST(without_EVFILT_USER_a_pipe_wakes) {
  fault::Reset();
  fault::Inject("Receipt", EINVAL);  // of the user filter, which is the first
  int error = 0;
  const auto poller = tripoll::KqueuePoller::Open(&error);
  CHECK_EQ(error, 0);
  CHECK_EQ(fault::Calls("Pipe2"), 1);
  std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
  for (int i = 0; i < 3; i++) {
    // The wake comes while the wait has begun: a wake before it needs no notice at all.
    fault::Before("Kevent", [&poller] { CHECK_EQ(poller->Wake(), 0); });
    const tripoll::WaitResult result = poller->Wait(60 * kSecondNs, out.data());
    CHECK(result.woken);
    CHECK_EQ(result.count, 0);
  }
  CHECK_EQ(fault::Calls("Write"), 3);
  CHECK_EQ(poller->Wait(0, out.data()).count, 0);
}

TEST(T57_a_deadline_that_comes_into_a_longer_wait_ends_it) {
  Fixture fixture;
  fault::Before("Kevent", [&fixture] { CHECK_EQ(fixture.poller->SetDeadline(1'000'000), 0); });
  const auto start = std::chrono::steady_clock::now();
  const tripoll::WaitResult result = fixture.poller->Wait(5 * kSecondNs, fixture.out.data());
  CHECK(result.woken);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(4));
}

TEST(a_wake_that_fails_says_so) {
  Fixture fixture;
  int said = 0;
  fault::Before("Kevent", [&fixture, &said] {
    fault::Inject("Kevent", ENOMEM);
    said = fixture.poller->Wake();
  });
  static_cast<void>(fixture.poller->Wait(0, fixture.out.data()));
  CHECK_EQ(said, -ENOMEM);
}

TEST(T42_a_close_that_says_EINTR_is_not_repeated) {
  fault::Reset();
  int error = 0;
  auto poller = tripoll::KqueuePoller::Open(&error);
  fault::Inject("Close", EINTR, fault::kForEver);  // not reached by the system
  poller.reset();
  CHECK_EQ(fault::Calls("Close"), 1);
  fault::Reset();
}

TEST(an_open_that_fails_half_way_leaves_no_fd_open) {
  for (const char* call : {"Kqueue", "Kevent"}) {
    fault::Reset();
    fault::Inject(call, EMFILE);
    int error = 0;
    CHECK(tripoll::KqueuePoller::Open(&error) == nullptr);
    CHECK_EQ(error, -EMFILE);
    CHECK_EQ(fault::Calls("Close"), fault::Calls("Kevent"));
  }
}

RUN_TESTS()
