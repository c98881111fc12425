#ifndef TRIPOLL_WINDOWS_PIPE_PORT_H_
#define TRIPOLL_WINDOWS_PIPE_PORT_H_

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "poller.h"
#include "windows/pipe.h"
#include "windows/windows_headers.h"

namespace tripoll {

// The pipes of one completion port: which are registered, and whose a packet is. The first part is
// for the poller, and takes PipesMutex by itself; the second for the pipes, which hold it.
class PipePort {
 public:
  explicit PipePort(HANDLE port) : port_(port) {}
  PipePort(const PipePort&) = delete;
  PipePort& operator=(const PipePort&) = delete;

  // As the poller's calls of these names.
  int Add(const Registration& registration);
  int Modify(const Registration& registration);
  int Delete(int fd, uint32_t slot, uint32_t generation);
  bool Owns(int fd, uint32_t slot, uint32_t generation);

  // Keys from here on are of pipes.
  static constexpr ULONG_PTR kFirstKey = 16;
  void OnPacket(const OVERLAPPED_ENTRY& entry);
  // The records of those that are ready, `room` at most. Level: each time, as long as they are.
  int Collect(EventRecord* out, int room);
  // Cancels all that is under way; its packets are still to be taken.
  void CancelAll();
  size_t in_kernel() const;
  // After the last packet, or without waiting for it any longer.
  void End();

  // The handle's packets come here from now on.
  int Associate(const std::shared_ptr<Pipe>& pipe);
  void AddServer(PipeServer* server) { servers_.insert(server); }
  void RemoveServer(PipeServer* server) { servers_.erase(server); }
  // An operation is in the kernel.
  void Began() { in_kernel_++; }
  // It may be ready, and the thread that waits does not know.
  void Touch(int fd);
  // Its fd was closed: a registration that is still there is told once (T02).
  void OnClosed(int fd);
  void Release(const Pipe& pipe);
  // Whether one more closed pipe may keep its write under way.
  bool TakeLinger();
  void GiveLinger() { lingering_--; }

 private:
  struct Registered {
    Registration registration{};
    std::shared_ptr<PipeObject> object;  // null: its fd was closed behind us
    bool listed = false;
  };

  Registered* Find(int fd, uint32_t slot, uint32_t generation);
  void List(int fd);
  void Erase(int fd);

  HANDLE port_;
  std::unordered_map<int, Registered> registered_;
  std::vector<int> listed_;                   // fds that may be ready
  std::vector<std::shared_ptr<Pipe>> pipes_;  // by index: what a key says, never a pointer
  std::vector<uint32_t> free_;
  std::unordered_set<PipeServer*> servers_;
  size_t in_kernel_ = 0;
  size_t lingering_ = 0;
  bool in_packet_ = false;  // the waiting thread itself is in here
};

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_PIPE_PORT_H_
