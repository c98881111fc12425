#ifndef TRIPOLL_LINUX_EPOLL_POLLER_H_
#define TRIPOLL_LINUX_EPOLL_POLLER_H_

#include <sys/epoll.h>

#include <memory>
#include <vector>

#include "poller.h"
#include "unix/owner_table.h"

namespace tripoll {

class EpollPoller final : public Poller {
 public:
  static std::unique_ptr<Poller> Open(int* error);
  ~EpollPoller() override;

  bool Supports(uint32_t mode) const override;
  int Add(const Registration& registration) override;
  int Modify(const Registration& registration) override;
  int Delete(int fd, uint32_t slot, uint32_t generation) override;
  WaitResult Wait(int64_t timeout_ns, EventRecord* out) override;
  int Wake() override;
  int SetDeadline(int64_t timeout_ns) override;
  int NestableFd() const override { return epoll_fd_; }
  int WatchHost(int host_fd) override;
  int UnwatchHost() override;

 private:
  EpollPoller() = default;
  int OpenFds();
  int WatchOwn(int fd, uint32_t slot);
  int WaitForEvents(int64_t timeout_ns);

  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  int deadline_fd_ = -1;
  int host_fd_ = -1;
  bool pwait2_missing_ = false;  // only the waiting thread looks at it
  OwnerTable owners_;            // only the owner's thread looks at it
  epoll_event events_[kEventBatchSize];
};

}  // namespace tripoll

#endif  // TRIPOLL_LINUX_EPOLL_POLLER_H_
