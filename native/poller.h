// The poller contract. Every backend supplies exactly this, and promises what is written here.
//
// Registration. A registration is an fd, a token (slot + generation, chosen by the caller) and an
// interest in a mode. One fd has at most one registration in a poller: a second Add is -EEXIST on
// every system (T04). Add refuses what the backend could not wait for: a closed fd is -EBADF, a
// regular file or a directory -EPERM (T13). No mode is imitated: what Supports() denies is
// -ENOTSUP. Delete does nothing unless that very token still owns the fd, because the number may by
// now be a stranger's (T02); then, or when the system had dropped it, it returns 1 instead of 0,
// which says: do not close that number. The poller never changes an fd's flags, and never closes
// it.
//
// Interest 0 pauses: nothing but one hang-up or error record may come, and it does not repeat
// (T10).
//
// Waiting. Wait fills at most kEventBatchSize records and returns their number, or -errno. It may
// return early with 0 (EINTR, a wake, a deadline): callers look at the clock again. A timeout of
// -1 waits for ever, 0 does not wait; others are rounded up to what the system can do (T14).
// Only one thread at a time waits. Its records carry READABLE and WRITABLE as a guarantee; the
// other flags are hints. Spurious records are allowed, lost ones are not. An ERROR or a hang-up
// sets READABLE and WRITABLE too, so that whoever waits for either tries its I/O and meets the
// error (T11); the dispatcher masks with the interest.
//
// Threads. Add, Modify and Delete belong to the owner's thread, and are legal while another thread
// is inside Wait, which then sees the change at once. Wake and SetDeadline are legal from any
// thread: a wake before or during a Wait ends that Wait; many wakes may be one.
//
// Errors are negative errno values. Nothing here throws, and nothing calls out.
#ifndef TRIPOLL_POLLER_H_
#define TRIPOLL_POLLER_H_

#include <cstdint>
#include <memory>
#include <string>

namespace tripoll {

// One event as JavaScript reads it: three u32. The high half of readiness is an errno or 0.
struct EventRecord {
  uint32_t slot;
  uint32_t generation;
  uint32_t readiness;
};

// Tokio's default capacity: large enough to amortise a wait, small enough that a batch is no pause.
constexpr int kEventBatchSize = 1024;

// The highest slots are the poller's own: its waker, its deadline, and the fd of the loop that
// hosts it.
constexpr uint32_t kWakeSlot = 0xFFFFFFFFu;
constexpr uint32_t kDeadlineSlot = 0xFFFFFFFEu;
constexpr uint32_t kHostSlot = 0xFFFFFFFDu;

enum Interest : uint32_t {
  kInterestReadable = 1,
  kInterestWritable = 2,
  kInterestPriority = 4,
};

enum Readiness : uint32_t {
  kReadable = 1,
  kWritable = 2,
  kPriority = 4,
  kReadClosed = 8,
  kWriteClosed = 16,
  kError = 32,
};
constexpr uint32_t kReadinessErrnoShift = 16;

enum Mode : uint32_t {
  kModeLevel = 0,
  kModeEdge = 1,
  kModeOneshot = 2,
  kModeEdgeOneshot = 3,
  kModeExclusive = 4,  // or'ed with kModeLevel or kModeEdge only
};

struct Registration {
  int fd;
  uint32_t slot;
  uint32_t generation;
  uint32_t interest;
  uint32_t mode;
};

struct WaitResult {
  int count = 0;            // records filled, or -errno
  bool woken = false;       // a wake or a deadline ended the wait
  bool host_ready = false;  // the host's fd is readable
};

class Poller {
 public:
  Poller() = default;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  virtual ~Poller() = default;

  virtual bool Supports(uint32_t mode) const = 0;
  virtual int Add(const Registration& registration) = 0;
  virtual int Modify(const Registration& registration) = 0;
  virtual int Delete(int fd, uint32_t slot, uint32_t generation) = 0;
  virtual WaitResult Wait(int64_t timeout_ns, EventRecord* out) = 0;
  virtual int Wake() = 0;
  // Ends the present or a later Wait when timeout_ns have passed from now; -1 takes it back.
  virtual int SetDeadline(int64_t timeout_ns) = 0;
  // An fd that is readable while records are waiting, for another poller to watch; -1 where the
  // backend has none or must not be nested (T23).
  virtual int NestableFd() const = 0;
  // Also ends a Wait while this fd, the poller of the loop that we run inside, is readable. One at
  // a time. -ENOTSUP where the backend cannot watch another poller.
  virtual int WatchHost(int host_fd) = 0;
  virtual int UnwatchHost() = 0;
};

// Opens a backend of this system by name; on failure *error is a negative errno, -ENOTSUP for a
// name that this system does not have.
std::unique_ptr<Poller> OpenPoller(const std::string& backend, int* error);

// The names that OpenPoller knows here, the default first.
extern const char* const kBackends[];
extern const int kBackendCount;

}  // namespace tripoll

#endif  // TRIPOLL_POLLER_H_
