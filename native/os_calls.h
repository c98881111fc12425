// The one door through which the plain C++ reaches a Unix system. A native test links a faulty twin
// of it, to show what the code does when a kernel says what this one cannot be made to say.
// Every call returns n >= 0 or -errno.
#ifndef TRIPOLL_OS_CALLS_H_
#define TRIPOLL_OS_CALLS_H_

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "datagram_calls.h"
#include "socket_calls.h"

struct epoll_event;
struct termios;

namespace tripoll {

// What poll(2) tells of sockets, where systems differ (T19).
struct PollFacts {
  bool tells_errors;    // POLLERR; else an error is met by the next call
  bool whole_hang_ups;  // POLLHUP says that both directions have ended, and not either
};

}  // namespace tripoll

namespace tripoll::os {

// Opens what is there, close-on-exec.
int OpenFile(const char* path, int flags);
int Fstat(int fd, struct stat* status);
// The permission bits. Of a socket Linux takes them; macOS and the BSDs say -EINVAL (fchmod(2)).
int Fchmod(int fd, uint32_t mode);
int Poll(pollfd* fds, size_t count, int timeout_ms);
PollFacts FactsOfPoll();
int Ioctl(int fd, unsigned long request, void* argument);
// How many bytes the request's own number says that its argument has; 0 where it says nothing.
size_t IoctlBytes(unsigned long request);
int Dup(int fd);
int Dup3(int fd, int target, int flags);
int Tcgetattr(int fd, termios* settings);
int Tcsetattr(int fd, int action, const termios* settings);
int PosixOpenpt(int flags);
int Grantpt(int fd);
int Unlockpt(int fd);
int Ptsname(int fd, char* name, size_t length);
// pid (0 where the system does not tell), effective uid and gid of a Unix socket's peer.
int PeerCredentials(int fd, int32_t out[3]);
// NetBSD and OpenBSD have none, and say -ENOSYS.
extern const bool kHasSendfile;
// The bytes that went out, 0 at the end of the file.
int Sendfile(int out_fd, int in_fd, int64_t offset, size_t length);

// Linux only; declared here so that one faulty twin covers all of it.
int EpollCreate1(int flags);
int EpollCtl(int epoll_fd, int operation, int fd, epoll_event* event);
int EpollWait(int epoll_fd, epoll_event* events, int capacity, int timeout_ms);
int EpollPwait2(int epoll_fd, epoll_event* events, int capacity, int64_t timeout_ns);
int Eventfd(unsigned initial, int flags);
int TimerfdCreate(int flags);
int TimerfdSettime(int fd, int64_t timeout_ns);
int Splice(int in_fd, int out_fd, size_t length);  // neither end waits
int MapMemory(size_t length, void** memory);       // zeroed, and this process's own
int UnmapMemory(void* memory, size_t length);
int TimerfdCreateOn(int clock, int flags);
int TimerfdSet(int fd, int flags, int64_t value_ns, int64_t period_ns);
int PidfdOpen(int pid, int flags);
int PidfdSendSignal(int fd, int signal);
int Waitid(int id_type, unsigned id, siginfo_t* status, int options);
int InotifyInit1(int flags);
int InotifyAddWatch(int fd, const char* path, uint32_t mask);
int InotifyRmWatch(int fd, int watch);

}  // namespace tripoll::os

#endif  // TRIPOLL_OS_CALLS_H_
