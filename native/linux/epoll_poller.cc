#include "linux/epoll_poller.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <cerrno>
#include <utility>

#include "os_calls.h"
#include "unix/readiness.h"

namespace tripoll {

namespace {

uint64_t ToData(uint32_t slot, uint32_t generation) {
  return (static_cast<uint64_t>(generation) << 32) | slot;
}

uint32_t ToEpollEvents(uint32_t interest, uint32_t mode) {
  const bool exclusive = (mode & kModeExclusive) != 0;
  uint32_t events = 0;
  // The kernel refuses RDHUP beside EXCLUSIVE (EPOLLEXCLUSIVE_OK_BITS): the hint is missing there.
  if ((interest & kInterestReadable) != 0)
    events |= EPOLLIN | (exclusive ? 0u : uint32_t{EPOLLRDHUP});
  if ((interest & kInterestWritable) != 0) events |= EPOLLOUT;
  if ((interest & kInterestPriority) != 0) events |= EPOLLPRI;
  if ((mode & kModeEdge) != 0) events |= EPOLLET;
  if ((mode & kModeOneshot) != 0) events |= EPOLLONESHOT;
  if (exclusive) events |= EPOLLEXCLUSIVE;
  // epoll reports HUP and ERR unasked. A paused registration hears of them once, as an edge (T10).
  if (interest == 0) events |= EPOLLET;
  return events;
}

uint32_t ToReadiness(uint32_t events) {
  PollStates states{};
  states.in = (events & EPOLLIN) != 0;
  states.out = (events & EPOLLOUT) != 0;
  states.priority = (events & EPOLLPRI) != 0;
  states.peer_ended = (events & EPOLLRDHUP) != 0;
  states.hung_up = (events & EPOLLHUP) != 0;
  states.failed = (events & EPOLLERR) != 0;
  return tripoll::ToReadiness(states);
}

}  // namespace

std::unique_ptr<Poller> EpollPoller::Open(int* error) {
  std::unique_ptr<EpollPoller> poller(new EpollPoller());
  *error = poller->OpenFds();
  if (*error < 0) return nullptr;
  return poller;
}

int EpollPoller::OpenFds() {
  epoll_fd_.Reset(os::EpollCreate1(EPOLL_CLOEXEC));
  if (epoll_fd_.get() < 0) return epoll_fd_.get();
  const int error = WatchOwn(&wake_fd_, os::Eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), kWakeSlot);
  if (error < 0) return error;
  return WatchOwn(&deadline_fd_, os::TimerfdCreate(TFD_NONBLOCK | TFD_CLOEXEC), kDeadlineSlot);
}

int EpollPoller::Control(int operation, int fd, uint32_t events, uint64_t data) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  return os::EpollCtl(epoll_fd_.get(), operation, fd, &event);
}

// Edge-triggered, so that neither ever needs to be read: each write, each expiry is a new edge.
int EpollPoller::WatchOwn(UniqueFd* own, int fd, uint32_t slot) {
  own->Reset(fd);
  return fd < 0 ? fd : Control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, ToData(slot, 0));
}

bool EpollPoller::Supports(uint32_t mode) const {
  // EXCLUSIVE goes with LEVEL and EDGE; with ONESHOT the kernel says EINVAL (T16).
  return mode <= (kModeExclusive | kModeEdge);
}

int EpollPoller::Add(const Registration& r) {
  if (!Supports(r.mode)) return -ENOTSUP;
  const int error =
      Control(EPOLL_CTL_ADD, r.fd, ToEpollEvents(r.interest, r.mode), ToData(r.slot, r.generation));
  if (error == 0) owners_.Set(r.fd, {r.slot, r.generation, true});
  return error;
}

int EpollPoller::Modify(const Registration& r) {
  if (!Supports(r.mode)) return -ENOTSUP;
  // Never re-added when it is gone: the number may be a stranger's by now (T02).
  if (!owners_.Get(r.fd).Is(r.slot, r.generation)) return -ENOENT;
  const int error =
      Control(EPOLL_CTL_MOD, r.fd, ToEpollEvents(r.interest, r.mode), ToData(r.slot, r.generation));
  // A stranger that cannot be polled at all: ours has gone just the same (T02).
  return error == -EPERM ? -ENOENT : error;
}

int EpollPoller::Delete(int fd, uint32_t slot, uint32_t generation) {
  if (!owners_.Get(fd).Is(slot, generation)) return 1;
  owners_.Clear(fd);
  const int error = Control(EPOLL_CTL_DEL, fd, 0, 0);
  // Closed behind our back: the kernel has dropped it already. EPERM is of a stranger that cannot
  // be polled.
  return error == -ENOENT || error == -EBADF || error == -EPERM ? 1 : error;
}

int EpollPoller::WaitForEvents(int64_t timeout_ns) {
  // The newer call only where the old one cannot say it: between two milliseconds.
  if (timeout_ns > 0 && timeout_ns % kNsPerMs != 0 && !pwait2_missing_) {
    const int count = os::EpollPwait2(epoll_fd_.get(), events_, kEventBatchSize, timeout_ns);
    // Old kernels say ENOSYS, old seccomp profiles EPERM (T18).
    if (count != -ENOSYS && count != -EPERM) return count;
    pwait2_missing_ = true;
  }
  return os::EpollWait(epoll_fd_.get(), events_, kEventBatchSize, ToTimeoutMs(timeout_ns));
}

WaitResult EpollPoller::Wait(int64_t timeout_ns, EventRecord* out) {
  const int count = WaitForEvents(timeout_ns);
  WaitResult result;
  if (count < 0) {
    result.count = count == -EINTR ? 0 : count;
    return result;
  }
  for (int i = 0; i < count; i++) {
    const uint64_t data = events_[i].data.u64;
    const auto slot = static_cast<uint32_t>(data);
    if (slot >= kHostSlot) {
      (slot == kHostSlot ? result.host_ready : result.woken) = true;
      continue;
    }
    out[result.count++] = {slot, static_cast<uint32_t>(data >> 32), ToReadiness(events_[i].events)};
  }
  return result;
}

int EpollPoller::Wake() {
  const uint64_t one = 1;
  const int written = os::Write(wake_fd_.get(), &one, sizeof one);
  if (written != -EAGAIN) return written < 0 ? written : 0;
  // The counter is full after 2^64 - 2 wakes, and a full one makes no edge: empty it and write
  // again.
  uint64_t count = 0;
  const int emptied = os::Read(wake_fd_.get(), &count, sizeof count);
  if (emptied < 0 && emptied != -EAGAIN) return emptied;
  const int again = os::Write(wake_fd_.get(), &one, sizeof one);
  return again < 0 ? again : 0;
}

int EpollPoller::WatchHost(int host_fd) {
  // Level-triggered: as long as the host has something to do, it is its turn.
  const int error = Control(EPOLL_CTL_ADD, host_fd, EPOLLIN, ToData(kHostSlot, 0));
  if (error == 0) host_fd_ = host_fd;
  return error;
}

int EpollPoller::UnwatchHost() {
  if (host_fd_ < 0) return 0;
  return Control(EPOLL_CTL_DEL, std::exchange(host_fd_, -1), 0, 0);
}

int EpollPoller::SetDeadline(int64_t timeout_ns) {
  // timerfd takes 0 for "disarm", so a deadline that has come is the shortest that it knows.
  const int64_t ns = timeout_ns < 0 ? 0 : (timeout_ns == 0 ? 1 : timeout_ns);
  return os::TimerfdSettime(deadline_fd_.get(), ns);
}

}  // namespace tripoll
