#include "os_calls.h"

#include <fcntl.h>
#include <linux/ioctl.h>  // _IOC_SIZE, which musl's own ioctl.h leaves out
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "unix/result.h"
#include "unix/timespec.h"

// glibc 2.35 has the wrapper, older ones do not; the number is the kernel's (5.11), the same on all
// architectures. Source: linux/arch/*/syscall.tbl.
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
// glibc 2.36 has wrappers for these; Linux 5.3 and 5.1, the same numbers everywhere.
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

namespace tripoll::os {

int Socket(int domain, int type, int protocol) {
  return Result(socket(domain, type, protocol), Syscall::kSocket);
}
int Accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return Result(accept4(fd, address, length, flags), Syscall::kAccept);
}
int Recvmsg(int fd, msghdr* message, int flags) {
  // Without room for them none come, and packet sockets refuse the flag (packet_recvmsg).
  const int close_on_exec = message->msg_control != nullptr ? MSG_CMSG_CLOEXEC : 0;
  return Result(recvmsg(fd, message, flags | close_on_exec), Syscall::kRecvmsg);
}
static_assert(sizeof(BatchMessage) == sizeof(mmsghdr) &&
                  offsetof(BatchMessage, length) == offsetof(mmsghdr, msg_len),
              "a BatchMessage is an mmsghdr under another name");
int Sendmmsg(int fd, BatchMessage* messages, unsigned count, int flags) {
  return Result(sendmmsg(fd, reinterpret_cast<mmsghdr*>(messages), count, flags),
                Syscall::kSendmmsg);
}
int Recvmmsg(int fd, BatchMessage* messages, unsigned count, int flags) {
  return Result(recvmmsg(fd, reinterpret_cast<mmsghdr*>(messages), count, flags, nullptr),
                Syscall::kRecvmmsg);
}
int Socketpair(int domain, int type, int protocol, int fds[2]) {
  return Result(socketpair(domain, type, protocol, fds));
}
int Pipe2(int fds[2], int flags) { return Result(pipe2(fds, flags)); }

int EpollCreate1(int flags) { return Result(epoll_create1(flags)); }
int EpollCtl(int epoll_fd, int operation, int fd, epoll_event* event) {
  return Result(epoll_ctl(epoll_fd, operation, fd, event), Syscall::kEpollCtl);
}
int EpollWait(int epoll_fd, epoll_event* events, int capacity, int timeout_ms) {
  return Result(epoll_wait(epoll_fd, events, capacity, timeout_ms), Syscall::kEpollWait);
}
int EpollPwait2(int epoll_fd, epoll_event* events, int capacity, int64_t timeout_ns) {
  // The kernel wants its own 64-bit timespec, which is this one on every 64-bit system.
  static_assert(sizeof(timespec) == 16, "epoll_pwait2 takes __kernel_timespec");
  timespec time = ToTimespec(timeout_ns);
  return Result(syscall(SYS_epoll_pwait2, epoll_fd, events, capacity, &time, nullptr, 0),
                Syscall::kEpollWait);
}
size_t IoctlBytes(unsigned long request) { return _IOC_SIZE(request); }
int Dup3(int fd, int target, int flags) { return Result(dup3(fd, target, flags)); }
int Ptsname(int fd, char* name, size_t length) { return -ptsname_r(fd, name, length); }
int Eventfd(unsigned initial, int flags) { return Result(eventfd(initial, flags)); }
int TimerfdCreate(int flags) { return Result(timerfd_create(CLOCK_MONOTONIC, flags)); }
int TimerfdSettime(int fd, int64_t timeout_ns) {
  itimerspec spec{};
  spec.it_value = ToTimespec(timeout_ns);
  return Result(timerfd_settime(fd, 0, &spec, nullptr), Syscall::kTimerfdSettime);
}
const bool kHasSendfile = true;
int PeerCredentials(int fd, int32_t out[3]) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  const int error = Result(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size));
  if (error < 0) return error;
  out[0] = credentials.pid;
  out[1] = static_cast<int32_t>(credentials.uid);
  out[2] = static_cast<int32_t>(credentials.gid);
  return 0;
}
int Sendfile(int out_fd, int in_fd, int64_t offset, size_t length) {
  off_t from = offset;
  return Result(sendfile(out_fd, in_fd, &from, length), Syscall::kSendfile);
}
int Splice(int in_fd, int out_fd, size_t length) {
  return Result(splice(in_fd, nullptr, out_fd, nullptr, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK),
                Syscall::kSplice);
}
int MapMemory(size_t length, void** memory) {
  void* mapped = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return -errno;
  *memory = mapped;
  return 0;
}
int UnmapMemory(void* memory, size_t length) { return Result(munmap(memory, length)); }
int TimerfdCreateOn(int clock, int flags) { return Result(timerfd_create(clock, flags)); }
int TimerfdSet(int fd, int flags, int64_t value_ns, int64_t period_ns) {
  itimerspec spec{};
  spec.it_value = ToTimespec(value_ns);
  spec.it_interval = ToTimespec(period_ns);
  return Result(timerfd_settime(fd, flags, &spec, nullptr), Syscall::kTimerfdSettime);
}
int PidfdOpen(int pid, int flags) { return Result(syscall(SYS_pidfd_open, pid, flags)); }
int PidfdSendSignal(int fd, int signal) {
  return Result(syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0));
}
int Waitid(int id_type, unsigned id, siginfo_t* status, int options) {
  return Result(waitid(static_cast<idtype_t>(id_type), id, status, options));
}
int InotifyInit1(int flags) { return Result(inotify_init1(flags)); }
int InotifyAddWatch(int fd, const char* path, uint32_t mask) {
  return Result(inotify_add_watch(fd, path, mask));
}
int InotifyRmWatch(int fd, int watch) { return Result(inotify_rm_watch(fd, watch)); }

}  // namespace tripoll::os
