#ifndef TRIPOLL_WINDOWS_COMPLETION_PORT_H_
#define TRIPOLL_WINDOWS_COMPLETION_PORT_H_

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "address.h"
#include "shared_block.h"
#include "windows/windows_headers.h"

namespace tripoll {

// A part of a lent block.
struct LentRange {
  SharedBlock* block = nullptr;
  size_t offset = 0;
  size_t length = 0;

  char* data() const { return reinterpret_cast<char*>(block->data() + offset); }
};

// As many packets as one call takes at most.
constexpr size_t kMostPackets = 256;

// One packet of the port.
struct Completion {
  uint64_t key = 0;
  int32_t operation = -1;  // -1: it was posted
  uint32_t bytes = 0;
  int error = 0;  // 0 or -errno
};

// A completion port as Windows has it, for the raw API. Operations are named by number, and what
// the kernel writes into (OVERLAPPED, buffers) lives until the packet has come, whatever its user
// does (T33). All calls are of one thread. Results are n >= 0 or -errno.
class CompletionPort {
 public:
  // nullptr and *error.
  static std::unique_ptr<CompletionPort> Create(uint32_t concurrency, int* error);
  CompletionPort(const CompletionPort&) = delete;
  CompletionPort& operator=(const CompletionPort&) = delete;
  ~CompletionPort();

  int Associate(HANDLE handle, uint64_t key);
  int Post(uint32_t bytes, uint64_t key);
  // Fills at most `capacity` and returns how many; timeout_ms -1 waits for ever.
  int Wait(Completion* out, size_t capacity, int timeout_ms);

  // Each starts an operation and returns its number; the packet tells how it ended. After an error
  // no packet comes.
  int Recv(HANDLE socket, const LentRange& range, uint32_t flags);
  int Send(HANDLE socket, const LentRange& range, uint32_t flags);
  int Accept(HANDLE listener, HANDLE socket);
  int Connect(HANDLE socket, const SocketAddress& address);
  int Read(HANDLE file, const LentRange& range, uint64_t position);
  int Write(HANDLE file, const LentRange& range, uint64_t position);
  int ConnectPipe(HANDLE pipe);
  // 0, or -ENOENT of what has ended.
  int Cancel(int32_t operation);

 private:
  enum class Kind : uint8_t { kPlain, kAccept, kConnect };

  struct Operation {
    OVERLAPPED overlapped{};
    HANDLE handle = nullptr;
    HANDLE accepted = nullptr;
    SharedBlock* block = nullptr;
    int32_t number = 0;
    Kind kind = Kind::kPlain;
    // What AcceptEx writes both addresses into, each with the 16 bytes that it wants beside it.
    char addresses[2 * (sizeof(sockaddr_storage) + 16)];
  };

  explicit CompletionPort(HANDLE port) : port_(port) {}
  int Begin(HANDLE handle, SharedBlock* block, Operation** operation);
  int Started(Operation* operation, bool ok, uint32_t code);
  void End(Operation* operation);
  static void UpdateContext(const Operation& operation);
  Completion Take(const OVERLAPPED_ENTRY& entry);

  HANDLE port_;
  int32_t next_number_ = 0;
  // By the address that a packet brings, which is looked up and never followed.
  std::unordered_map<const OVERLAPPED*, std::unique_ptr<Operation>> operations_;
  std::unordered_map<int32_t, Operation*> by_number_;
  std::unordered_set<HANDLE> associated_;
};

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_COMPLETION_PORT_H_
