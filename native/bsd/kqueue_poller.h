#ifndef TRIPOLL_BSD_KQUEUE_POLLER_H_
#define TRIPOLL_BSD_KQUEUE_POLLER_H_

#include <cerrno>
#include <deque>
#include <memory>
#include <mutex>

#include "bsd/kqueue_calls.h"
#include "fd_table.h"
#include "poller.h"
#include "unix/pipe.h"

namespace tripoll {

// kqueue(2). A registration is up to three filters (read, write, except) of one fd, whose events
// are merged into one record. The read filter is always there, disabled if nobody reads: a change
// that adds nothing (EV_DISABLE, or no flag at all) then tells whether the number still means the
// file that was registered, for kqueue drops the filters of a closed fd (T02, T04).
class KqueuePoller final : public Poller {
 public:
  static std::unique_ptr<Poller> Open(int* error);

  bool Supports(uint32_t mode) const override;
  int Add(const Registration& registration) override;
  int Modify(const Registration& registration) override;
  int Delete(int fd, uint32_t slot, uint32_t generation) override;
  WaitResult Wait(int64_t timeout_ns, EventRecord* out) override;
  int Wake() override;
  int SetDeadline(int64_t timeout_ns) override;
  int NestableFd() const override { return -1; }  // T23
  int WatchHost(int /*host_fd*/) override { return -ENOTSUP; }
  int UnwatchHost() override { return 0; }

 private:
  struct Watched : Registration {
    Watched() : Registration() {}
    uint32_t present = 0;  // the filters that the kernel has, as bits of Interest
    bool known = false;
    bool armed = true;    // false: a oneshot that has been told
    bool broken = false;  // in broken_
    uint64_t batch = 0;   // the batch that has a record of it, and which
    int record = 0;
  };
  struct Changes;

  KqueuePoller() = default;
  int OpenFds();
  int OpenNotifier();
  int WatchPipe();
  Watched* Find(int fd);
  Watched* FindOwned(int fd, uint32_t slot, uint32_t generation);

  int Apply(Changes* changes) const;
  bool IsAlive(const Watched& watched) const;
  int AddFilters(Watched* watched, uint32_t bits);
  int RemoveFilters(Watched* watched, uint32_t bits) const;
  int ApplyInterest(const Watched& watched) const;
  int ChangeInterest(Watched* watched, const Registration& to);
  int ChangeMode(Watched* watched, const Registration& to);
  void Break(Watched* watched);
  void Unbreak(Watched* watched);

  int Notify();
  int NotifyWaiter() { return waiting_ ? Notify() : 0; }
  void AcceptNotice();
  int WaitForEvents(int64_t wait_ns, std::unique_lock<std::mutex>* lock);
  int Collect(int count, EventRecord* out);
  void EmitBroken(EventRecord* out, int* filled);
  void Emit(Watched* watched, uint32_t readiness, EventRecord* out, int* filled);

  UniqueFd kqueue_fd_;
  UniqueFd pipe_[2];  // where the system has no EVFILT_USER

  std::mutex mutex_;  // guards all below but events_, which is the waiting thread's
  FdTable<Watched> watched_by_fd_;
  std::deque<int> broken_;  // pipes whose reader had gone when the write filter was added (T20)
  size_t reserved_ = 0;     // records of the batch that are kept for them
  bool waiting_ = false;
  int64_t waiting_until_ns_ = -1;
  bool notified_ = false;
  bool wake_pending_ = false;
  int64_t deadline_ns_ = -1;  // on the steady clock; -1: none
  uint64_t batch_ = 0;

  struct kevent events_[kEventBatchSize];
};

}  // namespace tripoll

#endif  // TRIPOLL_BSD_KQUEUE_POLLER_H_
