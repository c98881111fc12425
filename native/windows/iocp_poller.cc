#include "windows/iocp_poller.h"

#include "steady_time.h"
#include "windows/net.h"
#include "windows/pipe_calls.h"
#include "windows/port_calls.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// A cancel searches the polls of its handle, so on Windows it costs more the more there are (trio
// measured it, see its issue 1280); wepoll has 32. Under Wine 8 it cost the same 31 us with 1 to
// 512 sockets a handle, and opening a handle 26 us, which 32 sockets share.
constexpr size_t kSocketsPerGroup = 32;

// Keys of the port's packets: the polls', and what is posted to end a wait.
constexpr ULONG_PTR kPollKey = 0;
constexpr ULONG_PTR kWakeKey = 1;
constexpr ULONG_PTR kDeadlineKey = 2;

constexpr LONG kStatusCancelled = static_cast<LONG>(0xC0000120);

// Of every socket, whatever is wanted of it (T34).
constexpr uint32_t kAlways = kAfdAbort | kAfdConnectFail | kAfdLocalClose;

uint32_t ToAfdEvents(uint32_t interest) {
  if (interest == 0) return 0;  // paused: nothing is asked, not even whether it hung up (T10)
  uint32_t events = kAlways;
  // A poll for RECEIVE alone never sees a FIN (T34).
  if ((interest & kInterestReadable) != 0) events |= kAfdReceive | kAfdAccept | kAfdDisconnect;
  if ((interest & kInterestWritable) != 0) events |= kAfdSend;
  if ((interest & kInterestPriority) != 0) events |= kAfdReceiveExpedited;
  return events;
}

uint32_t ToReadiness(uint32_t events) {
  uint32_t readiness = 0;
  if ((events & (kAfdReceive | kAfdAccept)) != 0) readiness |= kReadable;
  if ((events & kAfdDisconnect) != 0) readiness |= kReadable | kReadClosed;
  if ((events & kAfdSend) != 0) readiness |= kWritable;
  if ((events & kAfdReceiveExpedited) != 0) readiness |= kPriority;
  // Whoever waits for either direction tries it, and meets the error (T11).
  if ((events & (kAfdAbort | kAfdConnectFail)) != 0)
    readiness |= kReadable | kWritable | kReadClosed | kWriteClosed | kError;
  return readiness;
}

uint32_t ErrorReadiness(int error) {
  return kError | (static_cast<uint32_t>(-error) << kReadinessErrnoShift);
}

// A context of 0 would mean: no packet.
uintptr_t ToContext(uint32_t index) { return static_cast<uintptr_t>(index) + 1; }
uint32_t ToIndex(const OVERLAPPED_ENTRY& entry) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(entry.lpOverlapped) - 1);
}

DWORD ToWaitMs(int64_t wait_ns) {
  const int ms = ToTimeoutMs(wait_ns);
  return ms < 0 ? INFINITE : static_cast<DWORD>(ms);
}

}  // namespace

std::unique_ptr<Poller> IocpPoller::Open(int* error) {
  std::unique_ptr<IocpPoller> poller(new IocpPoller());
  *error = os::CreatePort(&poller->port_);
  if (*error < 0) return nullptr;
  poller->pipes_ = std::make_unique<PipePort>(poller->port_);
  poller->packets_.resize(static_cast<size_t>(kEventBatchSize));
  return poller;
}

IocpPoller::~IocpPoller() {
  if (port_ == nullptr) return;
  DrainPolls();
  for (const auto& group : groups_) CloseAfd(group->afd);
  CloseHandle(port_);
}

// SAFETY: the kernel writes into a poll until its packet has come, so nothing is freed before
// (T33).
void IocpPoller::DrainPolls() {
  for (const auto& sock : socks_) {
    if (IsInKernel(sock->state)) static_cast<void>(CancelAfdPoll(sock->group->afd, &sock->poll));
  }
  pipes_->CancelAll();
  const int64_t until_ns = NowNs() + kMostDrainNs;
  while (in_kernel_ + pipes_->in_kernel() > 0 && RemainingNs(until_ns) > 0) {
    ULONG packets = 0;
    if (os::WaitForPackets(port_, packets_.data(), static_cast<ULONG>(packets_.size()),
                           ToWaitMs(RemainingNs(until_ns)), &packets) != 0)
      break;
    for (ULONG i = 0; i < packets; i++) {
      if (packets_[i].lpCompletionKey == kPollKey) in_kernel_--;
      if (packets_[i].lpCompletionKey >= PipePort::kFirstKey) pipes_->OnPacket(packets_[i]);
    }
  }
  pipes_->End();
  // Better lost than written into when it is another's.
  if (in_kernel_ > 0) {
    for (auto& sock : socks_) static_cast<void>(sock.release());
  }
}

bool IocpPoller::Supports(uint32_t mode) const {
  return mode == kModeLevel || mode == kModeOneshot;
}

int IocpPoller::WatchHost(int /*host_fd*/) { return -ENOTSUP; }

int IocpPoller::JoinGroup(Sock* sock) {
  if (roomy_.empty()) {
    HANDLE afd = nullptr;
    const int error = OpenAfd(port_, &afd);
    if (error < 0) return error;
    groups_.push_back(std::make_unique<Group>());
    groups_.back()->afd = afd;
    roomy_.push_back(groups_.back().get());
  }
  sock->group = roomy_.back();
  if (++sock->group->sockets == kSocketsPerGroup) roomy_.pop_back();
  return 0;
}

void IocpPoller::LeaveGroup(Sock* sock) {
  if (sock->group->sockets-- == kSocketsPerGroup) roomy_.push_back(sock->group);
  sock->group = nullptr;
}

uint32_t IocpPoller::TakeIndex() {
  if (free_.empty()) {
    socks_.push_back(std::make_unique<Sock>());
    return static_cast<uint32_t>(socks_.size() - 1);
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  return index;
}

bool IocpPoller::Owns(int fd, uint32_t slot, uint32_t generation, uint32_t* index) const {
  const auto found = index_by_fd_.find(fd);
  if (found == index_by_fd_.end()) return false;
  const Registration& known = socks_[found->second]->registration;
  *index = found->second;
  return known.slot == slot && known.generation == generation;
}

int IocpPoller::Add(const Registration& r) {
  if (!Supports(r.mode)) return -ENOTSUP;
  if (IsPipe(r.fd)) return pipes_->Add(r);
  SOCKET base = INVALID_SOCKET;
  int error = os::CheckSocket(r.fd);
  if (error == 0) error = FindBaseSocket(os::ToSocket(r.fd), AskSocket, &base);
  // A handle that is open and no socket: what epoll says of a file that it cannot wait for (T13).
  if (error == -ENOTSOCK) return -EPERM;
  if (error < 0) return error;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const auto known = index_by_fd_.find(r.fd); known != index_by_fd_.end()) {
    if (!IsClosed(*socks_[known->second])) return -EEXIST;
    // Its socket was closed behind us, and the number belongs to this newer owner (T01).
    Remove(known->second);
  }
  const uint32_t index = TakeIndex();
  Sock* sock = socks_[index].get();
  error = JoinGroup(sock);
  if (error < 0) {
    free_.push_back(index);
    return error;
  }
  sock->registration = r;
  sock->base = base;
  sock->state = SockState::kIdle;
  sock->lost = false;
  index_by_fd_.emplace(r.fd, index);
  error = Step(index, SockInput::kUpdate);
  if (error < 0) Remove(index);  // what a failed add leaves behind is nothing (T08)
  return error;
}

int IocpPoller::Modify(const Registration& r) {
  if (!Supports(r.mode)) return -ENOTSUP;
  if (pipes_->Owns(r.fd, r.slot, r.generation)) return pipes_->Modify(r);
  const std::lock_guard<std::mutex> lock(mutex_);
  uint32_t index = 0;
  if (!Owns(r.fd, r.slot, r.generation, &index)) return -ENOENT;
  Sock* sock = socks_[index].get();
  // As epoll says it when the number is nobody's, or a stranger's, by now (T02).
  if (IsClosed(*sock)) return os::CheckSocket(r.fd) == -EBADF ? -EBADF : -ENOENT;
  sock->registration = r;
  // While nobody waits the changes of a turn become one: a poll need not be cancelled for each.
  if (waiting_) return Step(index, SockInput::kUpdate);
  Queue(index);
  return 0;
}

int IocpPoller::Delete(int fd, uint32_t slot, uint32_t generation) {
  if (pipes_->Owns(fd, slot, generation)) return pipes_->Delete(fd, slot, generation);
  const std::lock_guard<std::mutex> lock(mutex_);
  uint32_t index = 0;
  if (!Owns(fd, slot, generation, &index)) return 1;
  const bool lost = IsClosed(*socks_[index]);
  Remove(index);
  return lost ? 1 : 0;
}

// Whether the socket was closed behind us, as far as its poll has been told. Between two polls it
// is not known: the number may then have a new owner unseen.
bool IocpPoller::IsClosed(const Sock& sock) {
  if (sock.lost) return true;
  return IsInKernel(sock.state) && (AfdEvents(sock.poll) & kAfdLocalClose) != 0;
}

void IocpPoller::Remove(uint32_t index) {
  Sock* sock = socks_[index].get();
  index_by_fd_.erase(sock->registration.fd);
  // A cancel that fails leaves a poll that ends when its socket does: its packet comes all the
  // same.
  static_cast<void>(Step(index, SockInput::kRemove));
}

int IocpPoller::Step(uint32_t index, SockInput input) {
  Sock* sock = socks_[index].get();
  const SockWish wish{sock->lost ? 0 : ToAfdEvents(sock->registration.interest), sock->polled};
  const SockStep step = NextSockStep(sock->state, input, wish);
  const bool was_released = sock->state == SockState::kReleased;
  sock->state = step.next;
  const int error = Act(index, step.action);
  if (sock->state == SockState::kReleased && !was_released) {
    LeaveGroup(sock);
    free_.push_back(index);
  }
  return error;
}

int IocpPoller::Act(uint32_t index, SockAction action) {
  Sock* sock = socks_[index].get();
  if (action == SockAction::kCancel) return CancelAfdPoll(sock->group->afd, &sock->poll);
  if (action != SockAction::kSubmit) return 0;
  sock->polled = ToAfdEvents(sock->registration.interest);
  const int error =
      StartAfdPoll(sock->group->afd, sock->base, sock->polled, ToContext(index), &sock->poll);
  if (error == 0) in_kernel_++;
  if (error < 0) sock->state = SockState::kIdle;
  return error;
}

void IocpPoller::Queue(uint32_t index) {
  if (socks_[index]->queued) return;
  socks_[index]->queued = true;
  updates_.push_back(index);
}

void IocpPoller::Flush() {
  // Act queues nothing: one pass is all.
  for (const uint32_t index : updates_) {
    Sock* sock = socks_[index].get();
    sock->queued = false;
    // It has gone since, or its place has a new owner, for whom to look once more does no harm.
    if (sock->state == SockState::kReleased || sock->state == SockState::kDraining) continue;
    const int error = Step(index, SockInput::kUpdate);
    if (error == 0) continue;
    // The caller of the deferred change has gone: it comes as a record, once.
    const Registration& r = sock->registration;
    failures_.push_back({r.slot, r.generation, ErrorReadiness(error)});
    GiveUp(sock, error);
  }
  updates_.clear();
}

int IocpPoller::TakeFailures(EventRecord* out) {
  int count = 0;
  for (; !failures_.empty() && count < kEventBatchSize; count++) {
    out[count] = failures_.back();
    failures_.pop_back();
  }
  return count;
}

int IocpPoller::Wake() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (wake_pending_) return 0;
  const int error = os::PostPacket(port_, kWakeKey);
  wake_pending_ = error == 0;
  return error;
}

int IocpPoller::SetDeadline(int64_t timeout_ns) {
  const std::lock_guard<std::mutex> lock(mutex_);
  deadline_ns_ = UntilNs(timeout_ns);
  return waiting_ ? os::PostPacket(port_, kDeadlineKey) : 0;
}

bool IocpPoller::TakeDeadline() {
  if (deadline_ns_ < 0 || NowNs() < deadline_ns_) return false;
  deadline_ns_ = -1;
  return true;
}

// After an error: nothing is asked before the next change. Only a closed handle is lost.
void IocpPoller::GiveUp(Sock* sock, int error) {
  sock->lost = error == -EBADF;
  sock->registration.interest = 0;
}

// Whether it is a record.
bool IocpPoller::Deliver(Sock* sock, EventRecord* out) {
  Registration& r = sock->registration;
  const LONG status = sock->poll.status.Status;
  // What was asked before a modify may have come meanwhile: it counts if it is still wanted.
  const uint32_t events = AfdEvents(sock->poll) & ToAfdEvents(r.interest);
  uint32_t readiness = ToReadiness(events);
  if ((AfdEvents(sock->poll) & kAfdLocalClose) != 0) {
    // Closed behind us: said once, also to who is paused (T02).
    GiveUp(sock, -EBADF);
    readiness = ErrorReadiness(-EBADF);
  } else if (status < 0 && status != kStatusCancelled) {
    const int error = FromNtStatus(status);
    GiveUp(sock, error);
    readiness = ErrorReadiness(error);
  }
  if (readiness == 0) return false;
  if ((r.mode & kModeOneshot) != 0) r.interest = 0;
  *out = {r.slot, r.generation, readiness};
  return true;
}

bool IocpPoller::OnPacket(uint32_t index, EventRecord* out) {
  in_kernel_--;
  Sock* sock = socks_[index].get();
  const SockWish none{0, 0};
  const bool deliver =
      NextSockStep(sock->state, SockInput::kPacket, none).action == SockAction::kDeliver;
  static_cast<void>(Step(index, SockInput::kPacket));
  if (!deliver) return false;
  const bool is_record = Deliver(sock, out);
  // Level: asked again when the batch has been consumed, which is when the next wait begins.
  if (!sock->lost && sock->registration.interest != 0) Queue(index);
  return is_record;
}

void IocpPoller::TakePackets(ULONG packets, EventRecord* out, WaitResult* result) {
  for (ULONG i = 0; i < packets; i++) {
    const OVERLAPPED_ENTRY& entry = packets_[i];
    if (entry.lpCompletionKey == kPollKey) {
      if (OnPacket(ToIndex(entry), &out[result->count])) result->count++;
    } else if (entry.lpCompletionKey >= PipePort::kFirstKey) {
      pipes_->OnPacket(entry);
    } else if (entry.lpCompletionKey == kWakeKey) {
      result->woken = true;
      wake_pending_ = false;
    }
  }
}

WaitResult IocpPoller::Wait(int64_t timeout_ns, EventRecord* out) {
  const int64_t until_ns = UntilNs(timeout_ns);
  std::unique_lock<std::mutex> lock(mutex_);
  // Bounded by its callers' changes: each further pass follows a SetDeadline, or a poll that a
  // change has ended and that is started anew.
  for (;;) {
    Flush();
    WaitResult result;
    result.count = TakeFailures(out);
    // Before the packets: a pipe stays ready until somebody reads, as the level says.
    result.count += pipes_->Collect(out + result.count, kEventBatchSize - result.count);
    const bool at_once = result.count > 0;
    const ULONG room = static_cast<ULONG>(kEventBatchSize - result.count);
    const int64_t wait_ns = at_once ? 0 : RemainingNs(Earlier(until_ns, deadline_ns_));
    waiting_ = true;
    lock.unlock();
    ULONG packets = 0;
    const DWORD code =
        room == 0 ? WAIT_TIMEOUT
                  : os::WaitForPackets(port_, packets_.data(), room, ToWaitMs(wait_ns), &packets);
    lock.lock();
    waiting_ = false;
    // Only the result tells whether there are any (T36).
    if (code != 0) packets = 0;
    if (code != 0 && code != WAIT_TIMEOUT) return {FromWinError(code), false, false};
    TakePackets(packets, out, &result);
    if (TakeDeadline()) result.woken = true;
    const bool timed_out = packets == 0 && until_ns >= 0 && RemainingNs(until_ns) == 0;
    if (result.count > 0 || result.woken || timed_out) return result;
  }
}

}  // namespace tripoll
