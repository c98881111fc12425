#ifndef TRIPOLL_UNIX_POLL_POLLER_H_
#define TRIPOLL_UNIX_POLL_POLLER_H_

#include <poll.h>
#include <sys/types.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <vector>

#include "fd_table.h"
#include "poller.h"
#include "unix/pipe.h"

namespace tripoll {

// poll(2): no edges, no kernel state. It exists so that one system tests two backends, and serves a
// sandbox without epoll. A wait costs a copy and a scan of all registrations.
class PollPoller final : public Poller {
 public:
  static std::unique_ptr<Poller> Open(int* error);

  bool Supports(uint32_t mode) const override;
  int Add(const Registration& registration) override;
  int Modify(const Registration& registration) override;
  int Delete(int fd, uint32_t slot, uint32_t generation) override;
  WaitResult Wait(int64_t timeout_ns, EventRecord* out) override;
  int Wake() override;
  int SetDeadline(int64_t timeout_ns) override;
  int NestableFd() const override { return -1; }
  int WatchHost(int /*host_fd*/) override { return -ENOTSUP; }
  int UnwatchHost() override { return 0; }

 private:
  // The file behind the number, as fstat tells it: what epoll knows of itself and poll(2) does not.
  struct File {
    dev_t device;
    ino_t inode;
    bool operator==(const File& other) const {
      return device == other.device && inode == other.inode;
    }
  };
  struct Watched : Registration {
    File file;
  };

  PollPoller() = default;
  int Notify();
  int NotifyWaiter();
  Watched* Find(int fd);
  void TakeSnapshot();
  void DrainPipe();
  int Collect(EventRecord* out);
  bool EmitIfCurrent(size_t index, EventRecord* out);
  static int Identify(int fd, File* file);

  UniqueFd pipe_[2];

  std::mutex mutex_;  // guards all below but the snapshot, which is the waiting thread's
  std::vector<Watched> registrations_;
  FdTable<int> index_by_fd_{-1};  // -1: none
  bool waiting_ = false;
  bool wake_pending_ = false;
  int64_t deadline_ns_ = -1;  // on the steady clock; -1: none
  size_t first_ = 0;          // where the next scan starts, so that a full batch starves nobody

  std::vector<pollfd> polled_;
  std::vector<Watched> snapshot_;
};

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_POLL_POLLER_H_
