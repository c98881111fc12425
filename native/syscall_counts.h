// How many system calls each thread has made, by kind, and how many bytes they have moved: counted
// where the calls are made, by the thread that makes them, so that nothing is shared or locked.
#ifndef TRIPOLL_SYSCALL_COUNTS_H_
#define TRIPOLL_SYSCALL_COUNTS_H_

#include <cstdint>

namespace tripoll {

// Those of this library that are made again and again, or open and close something; the rest is
// kOther. What the C library or Winsock makes of one is one call.
enum class Syscall : uint8_t {
  kAccept,
  kBind,
  kClose,
  kConnect,
  kEpollCtl,
  kEpollWait,  // epoll_pwait2 too
  kGetsockopt,
  kKevent,
  kListen,
  kPoll,
  kRead,
  kRecv,
  kRecvmmsg,
  kRecvmsg,
  kSend,
  kSendfile,
  kSendmmsg,
  kSendmsg,
  kSetsockopt,
  kShutdown,
  kSocket,
  kSplice,
  kTimerfdSettime,
  kWrite,
  kWritev,
  // Windows: a port's wait, the packet that wakes one, and AFD's polls.
  kGetQueuedCompletionStatus,
  kPostQueuedCompletionStatus,
  kAfdPoll,
  kCancelAfdPoll,
  kOther,
};
constexpr int kSyscallKinds = static_cast<int>(Syscall::kOther) + 1;

// As metrics tell it.
const char* NameOf(Syscall kind);

struct SyscallCounts {
  uint64_t calls[kSyscallKinds] = {};
  // What JavaScript's own reads and writes have moved, and not the pollers' wakes.
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;

  void Add(const SyscallCounts& more);
  // Each takes and returns the result of a call, n >= 0 or -errno.
  int Called(Syscall kind, int result) {
    calls[static_cast<int>(kind)]++;
    return result;
  }
  int Read(int result) {
    if (result > 0) bytes_read += static_cast<uint64_t>(result);
    return result;
  }
  int Written(int result) {
    if (result > 0) bytes_written += static_cast<uint64_t>(result);
    return result;
  }
};

// This thread's. Finding them takes a call of the loader's, as the addon is loaded while the
// process runs: recv and send, of which a message takes several, are counted by who calls them, in
// Environment::counts.
SyscallCounts& CountsOfThread();

void CountCall(Syscall kind);

}  // namespace tripoll

#endif  // TRIPOLL_SYSCALL_COUNTS_H_
