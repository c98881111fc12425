#include "unix/poll_poller.h"

#include <cerrno>
#include <climits>

#include "os_calls.h"
#include "steady_time.h"
#include "unix/readiness.h"

// Linux and FreeBSD have it; elsewhere the hint is missing, which the contract allows.
#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

namespace tripoll {

namespace {

constexpr int kMaxFd = INT_MAX - 1;

short ToPollEvents(uint32_t interest) {
  int events = 0;
  if ((interest & kInterestReadable) != 0) events |= POLLIN | POLLRDHUP;
  if ((interest & kInterestWritable) != 0) events |= POLLOUT;
  if ((interest & kInterestPriority) != 0) events |= POLLPRI;
  return static_cast<short>(events);
}

// Of POLLHUP where it says only that a direction has ended (XNU): one that was asked for. Of both
// it is the one that ends alone; of the other the next write tells. What it tells besides is then
// missing: POLLOUT is left out with it (T19).
uint32_t ToReadinessOfEither(uint32_t asked) {
  const bool writes_alone = asked == kInterestWritable;
  return kReadable | kWritable | (writes_alone ? kWriteClosed : kReadClosed);
}

// A closed fd is an error that carries its number (T02).
uint32_t ToReadiness(int events, uint32_t asked) {
  if ((events & POLLNVAL) != 0)
    return kError | (static_cast<uint32_t>(EBADF) << kReadinessErrnoShift);
  if ((events & POLLHUP) != 0 && !os::FactsOfPoll().whole_hang_ups)
    return ToReadinessOfEither(asked) | ((events & POLLPRI) != 0 ? kPriority : 0u);
  PollStates states{};
  states.in = (events & POLLIN) != 0;
  states.out = (events & POLLOUT) != 0;
  states.priority = (events & POLLPRI) != 0;
  states.peer_ended = (events & POLLRDHUP) != 0;
  states.hung_up = (events & POLLHUP) != 0;
  states.failed = (events & POLLERR) != 0;
  return tripoll::ToReadiness(states);
}

}  // namespace

std::unique_ptr<Poller> PollPoller::Open(int* error) {
  std::unique_ptr<PollPoller> poller(new PollPoller());
  *error = OpenPipe(poller->pipe_);
  if (*error < 0) return nullptr;
  return poller;
}

// What epoll_ctl refuses, refused here too, though poll(2) itself would call it ready for ever
// (T13).
int PollPoller::Identify(int fd, File* file) {
  struct stat status {};
  const int error = os::Fstat(fd, &status);
  if (error < 0) return error;
  *file = {status.st_dev, status.st_ino};
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}

bool PollPoller::Supports(uint32_t mode) const {
  return mode == kModeLevel || mode == kModeOneshot;
}

PollPoller::Watched* PollPoller::Find(int fd) {
  const int index = index_by_fd_.Get(fd);
  return index < 0 ? nullptr : &registrations_[static_cast<size_t>(index)];
}

int PollPoller::Add(const Registration& r) {
  if (!Supports(r.mode)) return -ENOTSUP;
  if (r.fd > kMaxFd) return -EBADF;
  File file{};
  const int error = Identify(r.fd, &file);
  if (error < 0) return error;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (Watched* known = Find(r.fd); known != nullptr) {
    if (known->file == file) return -EEXIST;
    // Its file was closed behind us, and the number belongs to this newer owner (T01).
    *known = {r, file};
    return NotifyWaiter();
  }
  index_by_fd_.Set(r.fd, static_cast<int>(registrations_.size()));
  registrations_.push_back({r, file});
  return NotifyWaiter();
}

int PollPoller::Modify(const Registration& r) {
  if (!Supports(r.mode)) return -ENOTSUP;
  const std::lock_guard<std::mutex> lock(mutex_);
  Watched* known = Find(r.fd);
  if (known == nullptr || known->slot != r.slot || known->generation != r.generation)
    return -ENOENT;
  File file{};
  const int error = Identify(r.fd, &file);
  if (error == -EBADF) return error;
  // As epoll says it when the number is a stranger's by now (T02).
  if (error < 0 || !(known->file == file)) return -ENOENT;
  *known = {r, file};
  return NotifyWaiter();
}

int PollPoller::Delete(int fd, uint32_t slot, uint32_t generation) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Watched* known = Find(fd);
  if (known == nullptr || known->slot != slot || known->generation != generation) return 1;
  File file{};
  const int error = Identify(fd, &file);
  const bool lost = error == -EBADF || !(known->file == file);
  index_by_fd_.Clear(fd);
  if (known != &registrations_.back()) {
    *known = registrations_.back();
    index_by_fd_.Set(known->fd, static_cast<int>(known - registrations_.data()));
  }
  registrations_.pop_back();
  // The waiter must let go of the file, or a socket that its user closes now would live on in
  // poll(2).
  const int notified = NotifyWaiter();
  return notified < 0 || !lost ? notified : 1;
}

int PollPoller::Notify() {
  const char byte = 0;
  const int written = os::Write(pipe_[1].get(), &byte, 1);
  // A full pipe wakes as well as one more byte would.
  return written < 0 && written != -EAGAIN ? written : 0;
}

int PollPoller::NotifyWaiter() { return waiting_ ? Notify() : 0; }

int PollPoller::Wake() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (wake_pending_) return 0;
  wake_pending_ = true;
  return Notify();
}

int PollPoller::SetDeadline(int64_t timeout_ns) {
  const std::lock_guard<std::mutex> lock(mutex_);
  deadline_ns_ = UntilNs(timeout_ns);
  return NotifyWaiter();
}

void PollPoller::TakeSnapshot() {
  snapshot_ = registrations_;
  polled_.clear();
  polled_.push_back({pipe_[0].get(), POLLIN, 0});
  for (const Watched& r : snapshot_) {
    // poll(2) skips negative fds: a paused registration hears nothing, not even HUP (T10).
    polled_.push_back({r.interest == 0 ? -1 : r.fd, ToPollEvents(r.interest), 0});
  }
}

void PollPoller::DrainPipe() {
  char bytes[512];
  // The pipe is non-blocking; what a short read leaves wakes once more, which the contract allows.
  static_cast<void>(os::Read(pipe_[0].get(), bytes, sizeof bytes));
}

bool PollPoller::EmitIfCurrent(size_t index, EventRecord* out) {
  const Watched& polled = snapshot_[index];
  Watched* known = Find(polled.fd);
  // Changed while we waited: a newer owner must not get this event, a paused one not either (T01).
  if (known == nullptr || known->slot != polled.slot || known->generation != polled.generation ||
      known->interest == 0) {
    return false;
  }
  // What it asks for by now: an answer to its old question must not use up a oneshot.
  const int events =
      polled_[index + 1].revents & (ToPollEvents(known->interest) | POLLERR | POLLHUP | POLLNVAL);
  if (events == 0) return false;
  // XNU says it of who waits for PRIORITY alone too, as long as it is so: told once, or it would be
  // told for ever. After the end nothing urgent comes (T19).
  const bool repeats = (events & POLLHUP) != 0 && polled.interest == kInterestPriority &&
                       !os::FactsOfPoll().whole_hang_ups;
  if ((known->mode & kModeOneshot) != 0 || (events & POLLNVAL) != 0 || repeats) known->interest = 0;
  *out = {known->slot, known->generation, ToReadiness(events, polled.interest)};
  return true;
}

int PollPoller::Collect(EventRecord* out) {
  int filled = 0;
  const size_t count = snapshot_.size();
  for (size_t i = 0; i < count && filled < kEventBatchSize; i++) {
    const size_t index = (first_ + i) % count;
    if (polled_[index + 1].revents != 0 && EmitIfCurrent(index, &out[filled])) filled++;
    if (filled == kEventBatchSize) first_ = index + 1;
  }
  return filled;
}

WaitResult PollPoller::Wait(int64_t timeout_ns, EventRecord* out) {
  const int64_t until_ns = UntilNs(timeout_ns);
  std::unique_lock<std::mutex> lock(mutex_);
  // Bounded by its callers' changes: each further pass is one Add, Modify, Delete or SetDeadline.
  for (;;) {
    TakeSnapshot();
    const int64_t deadline_ns = deadline_ns_;
    const int64_t wait_ns = wake_pending_ ? 0 : RemainingNs(Earlier(until_ns, deadline_ns));
    waiting_ = true;
    lock.unlock();
    const int ready = os::Poll(polled_.data(), polled_.size(), ToTimeoutMs(wait_ns));
    lock.lock();
    waiting_ = false;
    if (ready < 0 && ready != -EINTR) return {ready, false, false};
    if (ready > 0 && polled_[0].revents != 0) DrainPipe();
    const bool due = deadline_ns_ >= 0 && NowNs() >= deadline_ns_;
    if (due) deadline_ns_ = -1;
    const bool woken = wake_pending_ || due;
    wake_pending_ = false;
    const int filled = ready > 0 ? Collect(out) : 0;
    const bool timed_out = until_ns >= 0 && RemainingNs(until_ns) == 0;
    if (filled > 0 || woken || timed_out || ready == -EINTR) return {filled, woken, false};
  }
}

}  // namespace tripoll
