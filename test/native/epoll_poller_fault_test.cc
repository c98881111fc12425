// What the epoll backend does when the kernel says what this one cannot be made to say.
#include <cerrno>
#include <chrono>

#include "check.h"
#include "faulty_os_calls.h"
#include "linux/epoll_poller.h"
#include "os_calls.h"

namespace {

constexpr int64_t kHalfMsNs = 500'000;

// The fallback waits at least as long as was asked for, remembers, and reports no error.
void FallsBackOn(int error) {
  fault::Reset();
  int open_error = 0;
  const auto poller = tripoll::EpollPoller::Open(&open_error);
  CHECK_EQ(open_error, 0);
  fault::Inject("EpollPwait2", error, fault::kForEver);
  std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
  for (int i = 0; i < 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    CHECK_EQ(poller->Wait(kHalfMsNs, out.data()).count, 0);
    const auto waited = std::chrono::steady_clock::now() - start;
    CHECK(waited >= std::chrono::nanoseconds(kHalfMsNs));
  }
  CHECK_EQ(fault::Calls("EpollPwait2"), 1);
  CHECK_EQ(fault::Calls("EpollWait"), 2);
}

}  // namespace

TEST(T18_epoll_pwait2_says_ENOSYS) { FallsBackOn(ENOSYS); }
TEST(T18_epoll_pwait2_says_EPERM) { FallsBackOn(EPERM); }

TEST(a_wait_that_is_interrupted_returns_early_with_nothing) {
  fault::Reset();
  int error = 0;
  const auto poller = tripoll::EpollPoller::Open(&error);
  fault::Inject("EpollWait", EINTR);
  std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
  CHECK_EQ(poller->Wait(-1, out.data()).count, 0);
}

TEST(an_interrupted_pwait2_is_no_reason_to_fall_back) {
  fault::Reset();
  int error = 0;
  const auto poller = tripoll::EpollPoller::Open(&error);
  fault::Inject("EpollPwait2", EINTR, 2);
  std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
  CHECK_EQ(poller->Wait(kHalfMsNs, out.data()).count, 0);
  CHECK_EQ(poller->Wait(kHalfMsNs, out.data()).count, 0);
  CHECK_EQ(fault::Calls("EpollPwait2"), 2);
  CHECK_EQ(fault::Calls("EpollWait"), 0);
}

TEST(another_error_of_a_wait_is_told) {
  fault::Reset();
  int error = 0;
  const auto poller = tripoll::EpollPoller::Open(&error);
  std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
  fault::Inject("EpollPwait2", EFAULT);
  CHECK_EQ(poller->Wait(kHalfMsNs, out.data()).count, -EFAULT);
  fault::Inject("EpollWait", EBADF);
  CHECK_EQ(poller->Wait(0, out.data()).count, -EBADF);
}

TEST(T14_the_fallback_rounds_up_and_does_not_overflow) {
  fault::Reset();
  int error = 0;
  const auto poller = tripoll::EpollPoller::Open(&error);
  fault::Inject("EpollPwait2", ENOSYS, fault::kForEver);
  std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
  // Ended by the deadline: a timeout that overflowed would end, or be refused, at once.
  for (const int64_t timeout_ns : {INT64_MAX, (int64_t{1} << 32) * 1'000'000 + 1}) {
    const auto start = std::chrono::steady_clock::now();
    CHECK_EQ(poller->SetDeadline(5'000'000), 0);
    const tripoll::WaitResult result = poller->Wait(timeout_ns, out.data());
    CHECK_EQ(result.count, 0);
    CHECK(result.woken);
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(5));
  }
}

TEST(a_wake_counter_that_is_full_is_emptied_and_still_wakes) {
  fault::Reset();
  int error = 0;
  const auto poller = tripoll::EpollPoller::Open(&error);
  std::vector<tripoll::EventRecord> out(tripoll::kEventBatchSize);
  for (int i = 0; i < 3; ++i) {
    fault::Inject("Write", EAGAIN);
    CHECK_EQ(poller->Wake(), 0);
    CHECK_EQ(fault::Calls("Read"), i + 1);
    const tripoll::WaitResult result = poller->Wait(1'000'000'000, out.data());
    CHECK_EQ(result.count, 0);
    CHECK(result.woken);
  }
}

TEST(a_wake_that_fails_says_so) {
  fault::Reset();
  int error = 0;
  const auto poller = tripoll::EpollPoller::Open(&error);
  fault::Inject("Write", EBADF);
  CHECK_EQ(poller->Wake(), -EBADF);
}

TEST(a_registration_that_the_system_refuses_is_not_remembered) {
  fault::Reset();
  int error = 0;
  const auto poller = tripoll::EpollPoller::Open(&error);
  fault::Inject("EpollCtl", ENOSPC);
  const tripoll::Registration registration{0, 1, 1, tripoll::kInterestReadable,
                                           tripoll::kModeLevel};
  CHECK_EQ(poller->Add(registration), -ENOSPC);
  CHECK_EQ(poller->Modify(registration), -ENOENT);
  const int before = fault::Calls("EpollCtl");
  CHECK_EQ(poller->Delete(0, 1, 1), 1);
  CHECK_EQ(fault::Calls("EpollCtl"), before);
}

TEST(T08_a_delete_that_fails_has_cleaned_up_all_the_same) {
  fault::Reset();
  int error = 0;
  const auto poller = tripoll::EpollPoller::Open(&error);
  int fds[2];
  CHECK_EQ(tripoll::os::Pipe2(fds, 0), 0);
  CHECK_EQ(poller->Add({fds[0], 1, 1, tripoll::kInterestReadable, tripoll::kModeLevel}), 0);
  fault::Inject("EpollCtl", EIO);
  CHECK_EQ(poller->Delete(fds[0], 1, 1), -EIO);
  CHECK_EQ(poller->Modify({fds[0], 1, 1, 0, tripoll::kModeLevel}), -ENOENT);
  CHECK_EQ(tripoll::os::Close(fds[0]), 0);
  CHECK_EQ(tripoll::os::Close(fds[1]), 0);
}

TEST(T42_a_close_that_says_EINTR_is_not_repeated) {
  fault::Reset();
  int error = 0;
  auto poller = tripoll::EpollPoller::Open(&error);
  // Not reached by the system: the three fds of this program stay open.
  fault::Inject("Close", EINTR, 3);
  poller.reset();
  CHECK_EQ(fault::Calls("Close"), 3);
}

TEST(an_open_that_fails_half_way_leaves_no_fd_open) {
  for (const char* call : {"EpollCreate1", "Eventfd", "TimerfdCreate", "EpollCtl"}) {
    fault::Reset();
    fault::Inject(call, EMFILE);
    int error = 0;
    CHECK(tripoll::EpollPoller::Open(&error) == nullptr);
    CHECK_EQ(error, -EMFILE);
    const int opened =
        fault::Calls("EpollCreate1") + fault::Calls("Eventfd") + fault::Calls("TimerfdCreate");
    const int failed = call == std::string("EpollCtl") ? 0 : 1;
    CHECK_EQ(fault::Calls("Close"), opened - failed);
  }
}

RUN_TESTS()
