#include "bsd/kqueue_poller.h"

#include <algorithm>

#include "bsd/kqueue_change.h"
#include "os_calls.h"
#include "steady_time.h"

namespace tripoll {

namespace {

constexpr uint64_t kWakeToken = kWakeSlot;
constexpr uintptr_t kWakeIdent = 0;  // EVFILT_USER has idents of its own

struct Filter {
  int filter;
  uint32_t interest;
};

// Where there is no EVFILT_EXCEPT (FreeBSD, NetBSD) PRIORITY is a hint that never comes.
constexpr Filter kFilters[] = {
    {EVFILT_READ, kInterestReadable},
    {EVFILT_WRITE, kInterestWritable},
#ifdef EVFILT_EXCEPT
    {EVFILT_EXCEPT, kInterestPriority},
#endif
};
constexpr int kFilterCount = sizeof kFilters / sizeof kFilters[0];

uint32_t Available(uint32_t interest) {
  uint32_t available = 0;
  for (const Filter& filter : kFilters) available |= filter.interest;
  return interest & available;
}

uint32_t ToNotes(uint32_t interest) {
#ifdef EVFILT_EXCEPT
  if (interest == kInterestPriority) return NOTE_OOB;
#endif
  static_cast<void>(interest);
  return 0;
}

uint32_t ToInterest(int filter) {
  for (const Filter& known : kFilters) {
    if (known.filter == filter) return known.interest;
  }
  return 0;
}

uint32_t ToFlags(uint32_t mode) {
  uint32_t flags = 0;
  if ((mode & kModeEdge) != 0) flags |= EV_CLEAR;
  // Not EV_ONESHOT, which would delete the filter: to ask again one would have to add it anew, to
  // whatever file has the number by then (T02).
  if ((mode & kModeOneshot) != 0) flags |= EV_DISPATCH;
  return flags;
}

// EV_EOF carries the socket's error in fflags, if it has one (T21). An error ends both directions.
uint32_t ToReadiness(const struct kevent& event) {
  const auto filter = static_cast<int>(event.filter);
  const bool ended = (event.flags & EV_EOF) != 0;
  // The except filter's fflags are the conditions that it found.
  const bool has_errno = ended && (filter == EVFILT_READ || filter == EVFILT_WRITE);
  const uint32_t error = has_errno ? static_cast<uint32_t>(event.fflags) : 0;
  if (error != 0) {
    return kReadable | kWritable | kReadClosed | kWriteClosed | kError |
           (error << kReadinessErrnoShift);
  }
  if (filter == EVFILT_READ) return kReadable | (ended ? kReadClosed : 0u);
  if (filter == EVFILT_WRITE) return kWritable | (ended ? kWriteClosed : 0u);
  return kPriority | (ended ? kReadClosed : 0u);
}

// What epoll_ctl refuses; kqueue would take a file and call it ready for ever (T13).
int CheckFile(int fd) {
  struct stat status {};
  const int error = os::Fstat(fd, &status);
  if (error < 0) return error;
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}

bool HasGone(int error) { return error == ENOENT || error == EBADF; }

}  // namespace

// Changes of one fd and, after Apply, an errno or 0 for each.
struct KqueuePoller::Changes {
  const Watched& watched;
  struct kevent list[kFilterCount];
  uint32_t bits[kFilterCount];
  int errors[kFilterCount];
  int count = 0;

  explicit Changes(const Watched& of) : watched(of) {}
  static struct kevent One(const Watched& of, const Filter& filter, uint32_t flags) {
    return MakeChange(static_cast<uintptr_t>(of.fd), filter.filter, flags, ToNotes(filter.interest),
                      ToToken(of.slot, of.generation));
  }
  void Push(const Filter& filter, uint32_t flags) {
    bits[count] = filter.interest;
    errors[count] = 0;
    list[count++] = One(watched, filter, flags | EV_RECEIPT);
  }
  int FirstError() const {
    for (int i = 0; i < count; i++) {
      if (errors[i] != 0) return errors[i];
    }
    return 0;
  }
};

std::unique_ptr<Poller> KqueuePoller::Open(int* error) {
  std::unique_ptr<KqueuePoller> poller(new KqueuePoller());
  *error = poller->OpenFds();
  if (*error < 0) return nullptr;
  return poller;
}

int KqueuePoller::OpenFds() {
  kqueue_fd_.Reset(os::Kqueue());
  return kqueue_fd_.get() < 0 ? kqueue_fd_.get() : OpenNotifier();
}

int KqueuePoller::OpenNotifier() {
#ifdef EVFILT_USER
  struct kevent receipt {};
  const struct kevent change =
      MakeChange(kWakeIdent, EVFILT_USER, EV_ADD | EV_CLEAR | EV_RECEIPT, 0, kWakeToken);
  const int count = os::Kevent(kqueue_fd_.get(), &change, 1, &receipt, 1, 0);
  if (count == -EINTR) return 0;
  if (count < 0) return count;
  const int error = count == 1 ? static_cast<int>(receipt.data) : 0;
  // A kernel older than the headers does not know the filter.
  if (error != EINVAL && error != EOPNOTSUPP) return -error;
#endif
  return WatchPipe();
}

int KqueuePoller::WatchPipe() {
  int error = OpenPipe(pipe_);
  if (error < 0) return error;
  struct kevent receipt {};
  const struct kevent change = MakeChange(static_cast<uintptr_t>(pipe_[0].get()), EVFILT_READ,
                                          EV_ADD | EV_RECEIPT, 0, kWakeToken);
  error = os::Kevent(kqueue_fd_.get(), &change, 1, &receipt, 1, 0);
  if (error == -EINTR) return 0;
  return error < 0 ? error : -static_cast<int>(receipt.data);
}

bool KqueuePoller::Supports(uint32_t mode) const { return mode <= kModeEdgeOneshot; }

KqueuePoller::Watched* KqueuePoller::Find(int fd) {
  Watched* watched = watched_by_fd_.Find(fd);
  return watched != nullptr && watched->known ? watched : nullptr;
}

KqueuePoller::Watched* KqueuePoller::FindOwned(int fd, uint32_t slot, uint32_t generation) {
  Watched* watched = Find(fd);
  const bool owned =
      watched != nullptr && watched->slot == slot && watched->generation == generation;
  return owned ? watched : nullptr;
}

// With EV_RECEIPT each change has its answer, and no pending event is taken out (T20).
int KqueuePoller::Apply(Changes* changes) const {
  struct kevent receipts[kFilterCount];
  const int count =
      os::Kevent(kqueue_fd_.get(), changes->list, changes->count, receipts, changes->count, 0);
  // "When kevent() fails with EINTR, all changes have been applied" (T20).
  if (count == -EINTR) return 0;
  for (int i = 0; i < count; i++) changes->errors[i] = static_cast<int>(receipts[i].data);
  return count < 0 ? count : 0;
}

// Changes nothing: a filter that is there says 0, a closed fd EBADF, a stranger's number ENOENT.
bool KqueuePoller::IsAlive(const Watched& watched) const {
  Changes changes(watched);
  for (const Filter& filter : kFilters) {
    if ((watched.present & filter.interest) != 0 && changes.count == 0) changes.Push(filter, 0);
  }
  return Apply(&changes) == 0 && changes.FirstError() == 0;
}

int KqueuePoller::AddFilters(Watched* watched, uint32_t bits) {
  Changes changes(*watched);
  for (const Filter& filter : kFilters) {
    const uint32_t state = (watched->interest & filter.interest) != 0 ? EV_ENABLE : EV_DISABLE;
    if ((bits & filter.interest) != 0)
      changes.Push(filter, EV_ADD | state | ToFlags(watched->mode));
  }
  const int failed = Apply(&changes);
  if (failed < 0) return failed;
  uint32_t added = 0;
  int error = 0;
  bool broken = false;
  for (int i = 0; i < changes.count; i++) {
    const uint32_t bit = changes.bits[i];
    const int said = changes.errors[i];
    if (said == 0) added |= bit;
    // A pipe without a reader. NetBSD says EBADF there, though its read filter was taken.
    const bool no_reader = said == EPIPE || (said == EBADF && (watched->present | added) != 0);
    if (bit == kInterestWritable && no_reader)
      broken = true;
    else if (said != 0 && (watched->interest & bit) != 0)
      error = said;
  }
  watched->present |= added;
  // Nothing taken, not even what only stands for the file.
  if (error == 0 && watched->present == 0) error = changes.FirstError();
  if (error == 0 && broken) Break(watched);
  if (error == 0) return 0;
  static_cast<void>(RemoveFilters(watched, added));
  return -error;
}

// 0, or 1 when the system had dropped them.
int KqueuePoller::RemoveFilters(Watched* watched, uint32_t bits) const {
  Changes changes(*watched);
  for (const Filter& filter : kFilters) {
    if ((watched->present & bits & filter.interest) != 0) changes.Push(filter, EV_DELETE);
  }
  watched->present &= ~bits;
  if (changes.count == 0) return 0;
  const int failed = Apply(&changes);
  if (failed < 0) return failed;
  const int error = changes.FirstError();
  return HasGone(error) ? 1 : -error;
}

// EV_ENABLE alone need not look again at what is ready: NetBSD 7's kqueue_register asks the file
// only under EV_ADD (T25). That would also take in a stranger: so the first change adds nothing
// (T02), and what it fails with ends the call before the next is made, since there is no room for
// an event (kevent(2)).
int KqueuePoller::ApplyInterest(const Watched& watched) const {
  struct kevent list[kFilterCount + 1];
  int count = 0;
  for (const Filter& filter : kFilters) {
    if ((watched.present & filter.interest) == 0) continue;
    const bool wanted = (watched.interest & filter.interest) != 0;
    const uint32_t state = wanted ? EV_ADD | EV_ENABLE | ToFlags(watched.mode) : EV_DISABLE;
    if (wanted && count == 0) list[count++] = Changes::One(watched, filter, 0);
    list[count++] = Changes::One(watched, filter, state);
  }
  const int failed = os::Kevent(kqueue_fd_.get(), list, count, nullptr, 0, 0);
  return failed == -EINTR ? 0 : failed;  // as in Apply
}

// Marks a pipe whose end the kernel will not report: the next batch does.
void KqueuePoller::Break(Watched* watched) {
  watched->broken = true;
  broken_.push_back(watched->fd);
}

void KqueuePoller::Unbreak(Watched* watched) {
  if (!watched->broken) return;
  watched->broken = false;
  broken_.erase(std::find(broken_.begin(), broken_.end(), watched->fd));
}

int KqueuePoller::Add(const Registration& r) {
  if (!Supports(r.mode)) return -ENOTSUP;
  int error = CheckFile(r.fd);
  if (error < 0) return error;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (Watched* known = Find(r.fd); known != nullptr) {
    // kqueue itself would merge the two without a word (T04).
    if (IsAlive(*known)) return -EEXIST;
    Unbreak(known);
    known->known = false;
  }
  Watched watched{};
  static_cast<Registration&>(watched) = r;
  watched.known = true;
  error = AddFilters(&watched, Available(r.interest) | kInterestReadable);
  if (error < 0) return error;
  watched_by_fd_.Set(r.fd, watched);
  return watched.broken ? NotifyWaiter() : 0;
}

// EV_CLEAR and EV_DISPATCH of a filter that exists cannot be changed. Only what was there to be
// deleted is added again.
int KqueuePoller::ChangeMode(Watched* watched, const Registration& to) {
  const uint32_t present = watched->present;
  const int error = RemoveFilters(watched, present);
  if (error != 0) {
    watched->present = present;  // for Delete, which then finds that they have gone
    return error > 0 ? -ENOENT : error;
  }
  static_cast<Registration&>(*watched) = to;
  return AddFilters(watched, Available(to.interest) | kInterestReadable);
}

int KqueuePoller::ChangeInterest(Watched* watched, const Registration& to) {
  const uint32_t before = watched->interest;
  watched->interest = to.interest;
  int error = ApplyInterest(*watched);
  // Not before that has shown that the number still means our file (T02).
  const uint32_t missing = Available(to.interest) & ~watched->present;
  if (error == 0 && missing != 0) error = AddFilters(watched, missing);
  if (error == 0) return 0;
  watched->interest = before;
  if (!HasGone(-error)) static_cast<void>(ApplyInterest(*watched));
  return error;
}

int KqueuePoller::Modify(const Registration& r) {
  if (!Supports(r.mode)) return -ENOTSUP;
  const std::lock_guard<std::mutex> lock(mutex_);
  Watched* watched = FindOwned(r.fd, r.slot, r.generation);
  if (watched == nullptr) return -ENOENT;
  Unbreak(watched);
  const bool same_mode = ToFlags(r.mode) == ToFlags(watched->mode);
  const int error = same_mode ? ChangeInterest(watched, r) : ChangeMode(watched, r);
  if (error < 0) return error;
  watched->armed = true;
  return watched->broken ? NotifyWaiter() : 0;
}

int KqueuePoller::Delete(int fd, uint32_t slot, uint32_t generation) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Watched* watched = FindOwned(fd, slot, generation);
  if (watched == nullptr) return 1;
  Unbreak(watched);
  watched->known = false;
  return RemoveFilters(watched, watched->present);
}

int KqueuePoller::Notify() {
  if (notified_) return 0;
  int error = 0;
  if (pipe_[1].get() >= 0) {
    const char byte = 0;
    error = os::Write(pipe_[1].get(), &byte, 1);
  } else {
#ifdef EVFILT_USER
    const struct kevent change = MakeChange(kWakeIdent, EVFILT_USER, 0, NOTE_TRIGGER, kWakeToken);
    error = os::Kevent(kqueue_fd_.get(), &change, 1, nullptr, 0, 0);
#endif
  }
  // EAGAIN: the pipe is full, which wakes as well. EINTR: it was applied (T20).
  if (error < 0 && error != -EAGAIN && error != -EINTR) return error;
  notified_ = true;
  return 0;
}

void KqueuePoller::AcceptNotice() {
  notified_ = false;
  char bytes[64];
  // One byte a notice; what a failed read leaves wakes once more, which the contract allows.
  if (pipe_[0].get() >= 0) static_cast<void>(os::Read(pipe_[0].get(), bytes, sizeof bytes));
}

int KqueuePoller::Wake() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (wake_pending_) return 0;
  wake_pending_ = true;
  return NotifyWaiter();
}

int KqueuePoller::SetDeadline(int64_t timeout_ns) {
  const std::lock_guard<std::mutex> lock(mutex_);
  deadline_ns_ = UntilNs(timeout_ns);
  // A waiter that wakes too early looks at the clock and waits on.
  if (deadline_ns_ < 0) return 0;
  return Earlier(deadline_ns_, waiting_until_ns_) == deadline_ns_ ? NotifyWaiter() : 0;
}

// Merges what the filters of one fd say into one record of the batch.
void KqueuePoller::Emit(Watched* watched, uint32_t readiness, EventRecord* out, int* filled) {
  if (watched->batch != batch_) {
    // What another filter of a oneshot has to say comes with the next arming.
    if (!watched->armed) return;
    watched->armed = (watched->mode & kModeOneshot) == 0;
    watched->batch = batch_;
    watched->record = *filled;
    out[(*filled)++] = {watched->slot, watched->generation, readiness};
    return;
  }
  uint32_t& merged = out[watched->record].readiness;
  const bool has_errno = (merged >> kReadinessErrnoShift) != 0;
  merged |= has_errno ? readiness & ((1u << kReadinessErrnoShift) - 1) : readiness;
}

// As long as it is so, or once. At most as many as WaitForEvents has left room for.
void KqueuePoller::EmitBroken(EventRecord* out, int* filled) {
  constexpr uint32_t kReadiness = kReadable | kWritable | kWriteClosed | kError |
                                  (static_cast<uint32_t>(EPIPE) << kReadinessErrnoShift);
  for (size_t i = std::min(broken_.size(), reserved_); i > 0; i--) {
    Watched* watched = Find(broken_.front());
    broken_.pop_front();
    Emit(watched, kReadiness, out, filled);
    watched->broken = watched->mode == kModeLevel;
    if (watched->broken) broken_.push_back(watched->fd);
  }
}

int KqueuePoller::Collect(int count, EventRecord* out) {
  batch_++;
  int filled = 0;
  EmitBroken(out, &filled);
  for (int i = 0; i < count; i++) {
    const struct kevent& event = events_[i];
    const uint64_t token = TokenOf(event);
    if (token == kWakeToken) {
      AcceptNotice();
      continue;
    }
    Watched* watched = FindOwned(static_cast<int>(event.ident), SlotOf(token), GenerationOf(token));
    // Changed while we waited: neither a newer owner nor one that has paused gets this (T01).
    if (watched == nullptr) continue;
    const uint32_t bit = ToInterest(static_cast<int>(event.filter));
    if ((watched->interest & bit) != 0) Emit(watched, ToReadiness(event), out, &filled);
  }
  return filled;
}

int KqueuePoller::WaitForEvents(int64_t wait_ns, std::unique_lock<std::mutex>* lock) {
  // Room for those that the kernel does not tell of.
  reserved_ = std::min<size_t>(broken_.size(), kEventBatchSize / 2);
  const int capacity = kEventBatchSize - static_cast<int>(reserved_);
  waiting_ = true;
  lock->unlock();
  const int count = os::Kevent(kqueue_fd_.get(), nullptr, 0, events_, capacity, wait_ns);
  lock->lock();
  waiting_ = false;
  return count;
}

WaitResult KqueuePoller::Wait(int64_t timeout_ns, EventRecord* out) {
  const int64_t until_ns = UntilNs(timeout_ns);
  std::unique_lock<std::mutex> lock(mutex_);
  // Bounded by its callers' changes: each further pass is a SetDeadline, an answer to a question
  // that was changed, or a timeout that the kernel ended early.
  for (;;) {
    waiting_until_ns_ = Earlier(until_ns, deadline_ns_);
    const bool at_once = wake_pending_ || !broken_.empty();
    const int count = WaitForEvents(at_once ? 0 : RemainingNs(waiting_until_ns_), &lock);
    if (count < 0 && count != -EINTR) return {count, false, false};
    const bool due = deadline_ns_ >= 0 && NowNs() >= deadline_ns_;
    if (due) deadline_ns_ = -1;
    const bool woken = wake_pending_ || due;
    wake_pending_ = false;
    const int filled = Collect(std::max(count, 0), out);
    const bool timed_out = until_ns >= 0 && RemainingNs(until_ns) == 0;
    if (filled > 0 || woken || timed_out || count == -EINTR) return {filled, woken, false};
  }
}

}  // namespace tripoll
