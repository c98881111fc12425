// kqueue over epoll, for tests on Linux: the kqueue's fd is an epoll fd. It follows FreeBSD's
// manual page kqueue(2) and the way that BSD kernels work: an event on a file makes a filter
// ("knote") active, and a scan asks the file again before it reports one.
//
// The epoll entry of an fd is edge-triggered and serves both of its filters: it only says where to
// look. So an edge of one filter may bring the other's along, which a kernel would not do, and
// which the poller contract allows (a spurious event). A closed fd is noticed when it is next
// looked at; a file that lives on under another number keeps firing for nobody. What no test here
// needs is EINVAL: the other filters, regular files.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "file_state.h"
#include "unkind.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

// By the linker's --wrap, which makes these names: what the addon itself closes, so that a kqueue's
// end is noticed.
extern "C" int __real_close(int fd);  // NOLINT(bugprone-reserved-identifier)
extern "C" int __wrap_close(int fd);  // NOLINT(bugprone-reserved-identifier)

namespace kqueue_shim {

namespace {

using Clock = std::chrono::steady_clock;
using Key = std::pair<uintptr_t, short>;  // ident, filter

constexpr int kHints = 1024;
constexpr uint64_t kDoorbellData = UINT64_MAX;

struct Knote {
  struct kevent event {};  // flags: those of its adding
  bool disabled = false;
  bool queued = false;
  // What NetBSD's KN_ACTIVE is: something happened, and has not been told. Kept only where
  // EV_ENABLE goes by it.
  bool active = false;
  bool triggered = false;  // EVFILT_USER
};

class Queue {
 public:
  Queue(int epoll_fd, int doorbell_fd) : epoll_fd_(epoll_fd), doorbell_fd_(doorbell_fd) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { __real_close(doorbell_fd_); }

  int Run(const struct kevent* changes, int change_count, struct kevent* events, int event_count,
          const timespec* timeout);

 private:
  int ApplyAll(const struct kevent* changes, int change_count, struct kevent* events,
               int event_count, int* reported);
  int Apply(const struct kevent& change);
  int ApplyToFile(const struct kevent& change);
  int Insert(const struct kevent& change);
  int ApplyUser(const struct kevent& change);
  static void Update(Knote* knote, const struct kevent& change);
  Knote* Find(const Key& key);
  bool IsStillOpen(int fd, int* error);
  void DropFile(int fd);
  int Watch(int fd);
  void Enqueue(const Key& key, Knote* knote);
  void Ring() const;
  int Hint(int64_t wait_ns);
  int Scan(struct kevent* events, int event_count);
  bool Report(const Key& key, Knote* knote, struct kevent* out);

  const int epoll_fd_;
  // Readable for ever, and in the epoll set, disarmed: to arm it once wakes whoever waits there.
  const int doorbell_fd_;
  std::mutex mutex_;
  std::map<Key, Knote> knotes_;
  std::deque<Key> ready_;
};

std::mutex queues_mutex;
std::map<int, std::shared_ptr<Queue>> queues;

Knote* Queue::Find(const Key& key) {
  const auto found = knotes_.find(key);
  return found == knotes_.end() ? nullptr : &found->second;
}

// EEXIST is the answer that changes nothing: the epoll set has this very file under this number.
bool Queue::IsStillOpen(int fd, int* error) {
  epoll_event probe{};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &probe) == 0) {
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, &probe);
    *error = ENOENT;
  } else {
    *error = errno == EBADF ? EBADF : ENOENT;
    if (errno == EEXIST) return true;
  }
  return false;
}

void Queue::DropFile(int fd) {
  for (const int filter : {EVFILT_READ, EVFILT_WRITE})
    knotes_.erase({static_cast<uintptr_t>(fd), static_cast<short>(filter)});
}

// Also makes epoll tell again what is so now.
int Queue::Watch(int fd) {
  const Knote* read = Find({static_cast<uintptr_t>(fd), EVFILT_READ});
  const Knote* write = Find({static_cast<uintptr_t>(fd), EVFILT_WRITE});
  epoll_event event{};
  event.data.u64 = static_cast<uint64_t>(fd);
  event.events = EPOLLET;
  const bool all = Is(Unkind::kEnableAlone);
  if (read != nullptr && (all || !read->disabled)) event.events |= EPOLLIN | EPOLLRDHUP;
  if (write != nullptr && (all || !write->disabled)) event.events |= EPOLLOUT;
  const int operation = read == nullptr && write == nullptr ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  if (epoll_ctl(epoll_fd_, operation, fd, &event) == 0) return 0;
  if (errno != ENOENT) return errno;
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void Queue::Update(Knote* knote, const struct kevent& change) {
  knote->event.data = change.data;
  knote->event.udata = change.udata;
  if ((change.flags & EV_DISABLE) != 0)
    knote->disabled = true;
  else if ((change.flags & (EV_ENABLE | EV_ADD)) != 0)
    knote->disabled = false;
}

int Queue::Insert(const struct kevent& change) {
  const int fd = static_cast<int>(change.ident);
  if (change.filter == EVFILT_WRITE && IsBrokenPipe(fd)) return EPIPE;
  Knote knote;
  knote.event = change;
  Update(&knote, change);
  knotes_[{change.ident, change.filter}] = knote;
  const int error = Watch(fd);
  if (error != 0) knotes_.erase({change.ident, change.filter});
  return error == EPERM ? EINVAL : error;
}

int Queue::ApplyToFile(const struct kevent& change) {
  const int fd = static_cast<int>(change.ident);
  const Key key{change.ident, change.filter};
  if (fcntl(fd, F_GETFD) < 0) {
    DropFile(fd);
    return EBADF;
  }
  int error = 0;
  const bool has_knotes =
      Find({change.ident, EVFILT_READ}) != nullptr || Find({change.ident, EVFILT_WRITE}) != nullptr;
  if (has_knotes && !IsStillOpen(fd, &error)) DropFile(fd);
  Knote* knote = Find(key);
  if (knote == nullptr) return (change.flags & EV_ADD) != 0 ? Insert(change) : ENOENT;
  if ((change.flags & EV_DELETE) != 0) {
    knotes_.erase(key);
    return Watch(fd);
  }
  Update(knote, change);
  if (!Is(Unkind::kEnableAlone) || (change.flags & EV_ADD) != 0) return Watch(fd);
  if (knote->active && !knote->disabled) {
    Enqueue(key, knote);
    Ring();
  }
  return 0;
}

int Queue::ApplyUser(const struct kevent& change) {
  const Key key{change.ident, change.filter};
  Knote* knote = Find(key);
  if (knote == nullptr) {
    if ((change.flags & EV_ADD) == 0) return ENOENT;
    knote = &knotes_[key];
    knote->event = change;
    knote->event.fflags = 0;
  }
  if ((change.flags & EV_DELETE) != 0) {
    knotes_.erase(key);
    return 0;
  }
  Update(knote, change);
  const unsigned flags = change.fflags & NOTE_FFLAGSMASK;
  switch (change.fflags & NOTE_FFCTRLMASK) {
    case NOTE_FFAND:
      knote->event.fflags &= flags;
      break;
    case NOTE_FFOR:
      knote->event.fflags |= flags;
      break;
    case NOTE_FFCOPY:
      knote->event.fflags = flags;
      break;
    default:
      break;
  }
  if ((change.fflags & NOTE_TRIGGER) != 0) knote->triggered = true;
  if (knote->triggered && !knote->disabled) {
    Enqueue(key, knote);
    Ring();
  }
  return 0;
}

int Queue::Apply(const struct kevent& change) {
  if (change.filter == EVFILT_USER) return ApplyUser(change);
  if (change.filter == EVFILT_READ || change.filter == EVFILT_WRITE) return ApplyToFile(change);
  return EINVAL;
}

// 0, or the errno that ends the call.
int Queue::ApplyAll(const struct kevent* changes, int change_count, struct kevent* events,
                    int event_count, int* reported) {
  for (int i = 0; i < change_count; i++) {
    const int error = Apply(changes[i]);
    if (error == 0 && (changes[i].flags & EV_RECEIPT) == 0) continue;
    if (*reported == event_count) return error;
    events[*reported] = changes[i];
    events[*reported].flags = EV_ERROR;
    events[(*reported)++].data = error;
  }
  return 0;
}

void Queue::Enqueue(const Key& key, Knote* knote) {
  if (knote->queued) return;
  knote->queued = true;
  ready_.push_back(key);
}

void Queue::Ring() const {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = kDoorbellData;
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, doorbell_fd_, &event);
}

// Asks epoll where something happened. 0 or an errno; *any tells whether something did.
int Queue::Hint(int64_t wait_ns) {
  epoll_event hints[kHints];
  timespec wait{};
  wait.tv_sec = static_cast<time_t>(wait_ns / 1'000'000'000);
  wait.tv_nsec = static_cast<long>(wait_ns % 1'000'000'000);
  const auto count = syscall(SYS_epoll_pwait2, epoll_fd_, hints, kHints,
                             wait_ns < 0 ? nullptr : &wait, nullptr, 0);
  if (count < 0) return -errno;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (long i = 0; i < count; i++) {
    if (hints[i].data.u64 == kDoorbellData) continue;
    const uint32_t failed = hints[i].events & (EPOLLERR | EPOLLHUP);
    for (const short filter : {short{EVFILT_READ}, short{EVFILT_WRITE}}) {
      const uint32_t mask = filter == EVFILT_READ ? EPOLLIN | EPOLLRDHUP : uint32_t{EPOLLOUT};
      const Key key{static_cast<uintptr_t>(hints[i].data.u64), filter};
      Knote* knote = Find(key);
      if (knote == nullptr || (hints[i].events & (mask | failed)) == 0) continue;
      knote->active = true;
      if (!knote->disabled) Enqueue(key, knote);
    }
  }
  return static_cast<int>(count);
}

// Fills *out if the filter's condition holds now.
bool Queue::Report(const Key& key, Knote* knote, struct kevent* out) {
  *out = knote->event;
  out->flags &= EV_ADD | EV_ONESHOT | EV_CLEAR | EV_DISPATCH;
  if (key.second == EVFILT_USER) return knote->triggered;
  const int fd = static_cast<int>(key.first);
  int error = 0;
  if (!IsStillOpen(fd, &error)) return false;
  const FileState state = AskFile(fd);
  const FilterState& filter = key.second == EVFILT_READ ? state.read : state.write;
  out->data = filter.data;
  out->fflags = 0;
  if (filter.ended) {
    out->flags |= EV_EOF;
    out->fflags = static_cast<unsigned>(filter.error);
  }
  return filter.ready && !state.closed;
}

int Queue::Scan(struct kevent* events, int event_count) {
  const std::lock_guard<std::mutex> lock(mutex_);
  int filled = 0;
  for (size_t left = ready_.size(); left > 0 && filled < event_count; left--) {
    const Key key = ready_.front();
    ready_.pop_front();
    Knote* knote = Find(key);
    if (knote == nullptr) continue;
    knote->queued = false;
    if (knote->disabled) continue;
    if (!Report(key, knote, &events[filled])) {
      knote->active = false;
      continue;
    }
    const unsigned flags = knote->event.flags;
    filled++;
    if ((flags & EV_ONESHOT) != 0) {
      knotes_.erase(key);
      if (key.second != EVFILT_USER) Watch(static_cast<int>(key.first));
      continue;
    }
    if ((flags & EV_CLEAR) != 0) {
      knote->triggered = false;
      if (key.second == EVFILT_USER) knote->event.fflags = 0;
    }
    if ((flags & EV_DISPATCH) != 0) knote->disabled = true;
    if ((flags & (EV_CLEAR | EV_DISPATCH)) != 0) knote->active = false;
    // A level stays in the queue until it is no longer so.
    if ((flags & (EV_CLEAR | EV_DISPATCH)) == 0) Enqueue(key, knote);
  }
  return filled;
}

int Queue::Run(const struct kevent* changes, int change_count, struct kevent* events,
               int event_count, const timespec* timeout) {
  int reported = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int error = ApplyAll(changes, change_count, events, event_count, &reported);
    if (error != 0) return -error;
  }
  if (reported > 0 || event_count == 0) return reported;
  const auto start = Clock::now();
  const int64_t timeout_ns =
      timeout == nullptr ? -1 : timeout->tv_sec * int64_t{1'000'000'000} + timeout->tv_nsec;
  int hinted = Hint(0);
  for (;;) {
    if (hinted < 0) return hinted;
    const int filled = Scan(events, event_count);
    if (filled > 0) return filled;
    int64_t left_ns = timeout_ns;
    if (timeout_ns >= 0) {
      left_ns = timeout_ns - std::chrono::nanoseconds(Clock::now() - start).count();
      if (left_ns <= 0) return 0;
    }
    hinted = Hint(left_ns);
  }
}

}  // namespace

}  // namespace kqueue_shim

int kqueue() {
  using namespace kqueue_shim;
  const int fd = epoll_create1(0);
  if (fd < 0) return -1;
  const int doorbell_fd = eventfd(1, EFD_CLOEXEC);
  epoll_event event{};
  event.data.u64 = kDoorbellData;
  if (doorbell_fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, doorbell_fd, &event) < 0) {
    const int error = errno;
    if (doorbell_fd >= 0) __real_close(doorbell_fd);
    __real_close(fd);
    errno = error;
    return -1;
  }
  const std::lock_guard<std::mutex> lock(queues_mutex);
  queues[fd] = std::make_shared<Queue>(fd, doorbell_fd);
  return fd;
}

int __wrap_close(int fd) {
  {
    const std::lock_guard<std::mutex> lock(kqueue_shim::queues_mutex);
    kqueue_shim::queues.erase(fd);
  }
  return __real_close(fd);
}

int kevent(int kq, const struct kevent* changelist, int nchanges, struct kevent* eventlist,
           int nevents, const struct timespec* timeout) {
  using namespace kqueue_shim;
  std::shared_ptr<Queue> queue;
  {
    const std::lock_guard<std::mutex> lock(queues_mutex);
    const auto found = queues.find(kq);
    if (found != queues.end()) queue = found->second;
  }
  const int result =
      queue == nullptr ? -EBADF : queue->Run(changelist, nchanges, eventlist, nevents, timeout);
  if (result >= 0) return result;
  errno = -result;
  return -1;
}
