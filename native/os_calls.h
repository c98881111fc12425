// The one door through which the plain C++ reaches a Unix system. A native test links a faulty twin
// of it, to show what the code does when a kernel says what this one cannot be made to say.
// Every call returns n >= 0 or -errno.
#ifndef TRIPOLL_OS_CALLS_H_
#define TRIPOLL_OS_CALLS_H_

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

struct epoll_event;

// macOS has no such flag: its sockets have SO_NOSIGPIPE instead (bsd/os_calls.cc).
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

namespace tripoll::os {

int Socket(int domain, int type, int protocol);
int Bind(int fd, const sockaddr* address, socklen_t length);
int Listen(int fd, int backlog);
int Accept4(int fd, sockaddr* address, socklen_t* length, int flags);
int Connect(int fd, const sockaddr* address, socklen_t length);
int Recv(int fd, void* buffer, size_t length, int flags);
int Send(int fd, const void* buffer, size_t length, int flags);
int Sendmsg(int fd, const msghdr* message, int flags);
int Shutdown(int fd, int how);
int Socketpair(int domain, int type, int protocol, int fds[2]);
int Getsockname(int fd, sockaddr* address, socklen_t* length);
int Getpeername(int fd, sockaddr* address, socklen_t* length);
int Setsockopt(int fd, int level, int name, const void* value, socklen_t length);
int Getsockopt(int fd, int level, int name, void* value, socklen_t* length);
int Read(int fd, void* buffer, size_t length);
int Write(int fd, const void* buffer, size_t length);
int Writev(int fd, const iovec* buffers, int count);
int Fcntl(int fd, int command, int argument);
int Pipe2(int fds[2], int flags);
int Close(int fd);
int Fstat(int fd, struct stat* status);
int Poll(pollfd* fds, size_t count, int timeout_ms);
int Ioctl(int fd, unsigned long request, void* argument);

// Linux only; declared here so that one faulty twin covers all of it.
int EpollCreate1(int flags);
int EpollCtl(int epoll_fd, int operation, int fd, epoll_event* event);
int EpollWait(int epoll_fd, epoll_event* events, int capacity, int timeout_ms);
int EpollPwait2(int epoll_fd, epoll_event* events, int capacity, int64_t timeout_ns);
int Eventfd(unsigned initial, int flags);
int TimerfdCreate(int flags);
int TimerfdSettime(int fd, int64_t timeout_ns);

}  // namespace tripoll::os

#endif  // TRIPOLL_OS_CALLS_H_
