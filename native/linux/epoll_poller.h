#ifndef TRIPOLL_LINUX_EPOLL_POLLER_H_
#define TRIPOLL_LINUX_EPOLL_POLLER_H_

#include <sys/epoll.h>

#include <memory>

#include "fd_table.h"
#include "poller.h"
#include "unique_fd.h"

namespace tripoll {

class EpollPoller final : public Poller {
 public:
  static std::unique_ptr<Poller> Open(int* error);

  bool Supports(uint32_t mode) const override;
  int Add(const Registration& registration) override;
  int Modify(const Registration& registration) override;
  int Delete(int fd, uint32_t slot, uint32_t generation) override;
  WaitResult Wait(int64_t timeout_ns, EventRecord* out) override;
  int Wake() override;
  int SetDeadline(int64_t timeout_ns) override;
  int NestableFd() const override { return epoll_fd_.get(); }
  int WatchHost(int host_fd) override;
  int UnwatchHost() override;

 private:
  EpollPoller() = default;
  int OpenFds();
  int WatchOwn(UniqueFd* own, int fd, uint32_t slot);
  int Control(int operation, int fd, uint32_t events, uint64_t data) const;
  int WaitForEvents(int64_t timeout_ns);

  UniqueFd epoll_fd_;
  UniqueFd wake_fd_;
  UniqueFd deadline_fd_;
  int host_fd_ = -1;
  bool pwait2_missing_ = false;  // only the waiting thread looks at it
  FdTable<FdOwner> owners_;      // only the owner's thread looks at it
  epoll_event events_[kEventBatchSize];
};

}  // namespace tripoll

#endif  // TRIPOLL_LINUX_EPOLL_POLLER_H_
