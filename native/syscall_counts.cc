#include "syscall_counts.h"

namespace tripoll {

namespace {

thread_local SyscallCounts thread_counts;

struct SyscallName {
  Syscall kind;
  char name[28];  // in place, which needs no relocation
};
constexpr SyscallName kSyscallNames[] = {
    {Syscall::kAccept, "accept"},
    {Syscall::kBind, "bind"},
    {Syscall::kClose, "close"},
    {Syscall::kConnect, "connect"},
    {Syscall::kEpollCtl, "epoll_ctl"},
    {Syscall::kEpollWait, "epoll_wait"},
    {Syscall::kGetsockopt, "getsockopt"},
    {Syscall::kKevent, "kevent"},
    {Syscall::kListen, "listen"},
    {Syscall::kPoll, "poll"},
    {Syscall::kRead, "read"},
    {Syscall::kRecv, "recv"},
    {Syscall::kRecvmmsg, "recvmmsg"},
    {Syscall::kRecvmsg, "recvmsg"},
    {Syscall::kSend, "send"},
    {Syscall::kSendfile, "sendfile"},
    {Syscall::kSendmmsg, "sendmmsg"},
    {Syscall::kSendmsg, "sendmsg"},
    {Syscall::kSetsockopt, "setsockopt"},
    {Syscall::kShutdown, "shutdown"},
    {Syscall::kSocket, "socket"},
    {Syscall::kSplice, "splice"},
    {Syscall::kTimerfdSettime, "timerfd_settime"},
    {Syscall::kWrite, "write"},
    {Syscall::kWritev, "writev"},
    {Syscall::kGetQueuedCompletionStatus, "GetQueuedCompletionStatusEx"},
    {Syscall::kPostQueuedCompletionStatus, "PostQueuedCompletionStatus"},
    {Syscall::kAfdPoll, "AFD_POLL"},
    {Syscall::kCancelAfdPoll, "NtCancelIoFileEx"},
    {Syscall::kOther, "other"},
};

constexpr bool EachSyscallIsInItsPlace() {
  for (int i = 0; i < kSyscallKinds; i++) {
    if (kSyscallNames[i].kind != static_cast<Syscall>(i)) return false;
  }
  return true;
}
static_assert(sizeof kSyscallNames / sizeof kSyscallNames[0] == kSyscallKinds &&
              EachSyscallIsInItsPlace());

}  // namespace

const char* NameOf(Syscall kind) { return kSyscallNames[static_cast<int>(kind)].name; }

SyscallCounts& CountsOfThread() { return thread_counts; }

void CountCall(Syscall kind) { thread_counts.calls[static_cast<int>(kind)]++; }

void SyscallCounts::Add(const SyscallCounts& more) {
  for (int kind = 0; kind < kSyscallKinds; kind++) calls[kind] += more.calls[kind];
  bytes_read += more.bytes_read;
  bytes_written += more.bytes_written;
}

}  // namespace tripoll
