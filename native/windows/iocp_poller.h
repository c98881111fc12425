#ifndef TRIPOLL_WINDOWS_IOCP_POLLER_H_
#define TRIPOLL_WINDOWS_IOCP_POLLER_H_

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "poller.h"
#include "windows/afd.h"
#include "windows/pipe_port.h"
#include "windows/sock_state.h"

namespace tripoll {

// Readiness through a completion port: a poll of the AFD driver per socket, whose packet says what
// is so. Level by asking again after each batch has been consumed; oneshot by not asking again. It
// has no edges: the driver tells what is so, never what became so.
class IocpPoller final : public Poller {
 public:
  static std::unique_ptr<Poller> Open(int* error);
  ~IocpPoller() override;

  bool Supports(uint32_t mode) const override;
  int Add(const Registration& registration) override;
  int Modify(const Registration& registration) override;
  int Delete(int fd, uint32_t slot, uint32_t generation) override;
  WaitResult Wait(int64_t timeout_ns, EventRecord* out) override;
  int Wake() override;
  int SetDeadline(int64_t timeout_ns) override;
  int NestableFd() const override { return -1; }
  int WatchHost(int host_fd) override;
  int UnwatchHost() override { return 0; }

 private:
  // Some sockets share a handle of the driver: a cancel searches all polls of its handle (T32).
  struct Group {
    HANDLE afd = nullptr;
    size_t sockets = 0;
  };

  // A registered socket. It stays where it is, for the kernel writes into its poll (T33).
  struct Sock {
    Registration registration{};
    SOCKET base = INVALID_SOCKET;
    SockState state = SockState::kReleased;
    uint32_t polled = 0;
    bool queued = false;  // in updates_
    bool lost = false;    // its socket was closed behind us (T02)
    Group* group = nullptr;
    AfdPoll poll;
  };

  IocpPoller() = default;
  int JoinGroup(Sock* sock);
  void LeaveGroup(Sock* sock);
  uint32_t TakeIndex();
  static bool IsClosed(const Sock& sock);
  bool Owns(int fd, uint32_t slot, uint32_t generation, uint32_t* index) const;
  void Remove(uint32_t index);
  int Step(uint32_t index, SockInput input);
  int Act(uint32_t index, SockAction action);
  void Queue(uint32_t index);
  void Flush();
  int TakeFailures(EventRecord* out);
  void TakePackets(ULONG packets, EventRecord* out, WaitResult* result);
  bool OnPacket(uint32_t index, EventRecord* out);
  static void GiveUp(Sock* sock, int error);
  static bool Deliver(Sock* sock, EventRecord* out);
  bool TakeDeadline();
  void DrainPolls();

  HANDLE port_ = nullptr;
  std::unique_ptr<PipePort> pipes_;  // has a mutex of its own, which is taken after ours

  std::mutex mutex_;  // guards all below but packets_, which is the waiting thread's
  std::vector<std::unique_ptr<Sock>> socks_;  // by index: what a packet carries, never a pointer
  std::vector<uint32_t> free_;
  std::unordered_map<int, uint32_t> index_by_fd_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<Group*> roomy_;          // those with room for a further socket
  std::vector<uint32_t> updates_;      // whose next step waits for the next Wait
  std::vector<EventRecord> failures_;  // deferred steps that failed, to be told
  size_t in_kernel_ = 0;
  bool waiting_ = false;
  bool wake_pending_ = false;
  int64_t deadline_ns_ = -1;  // on the steady clock; -1: none

  std::vector<OVERLAPPED_ENTRY> packets_;
};

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_IOCP_POLLER_H_
