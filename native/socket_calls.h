// The syscalls that every system has, by Unix' names and with its results: n >= 0 or -errno. On
// Unix they are what os_calls.h declares beside the rest; on Windows native/windows/net.cc makes
// them of Winsock. An fd is there a SOCKET, which as every kernel handle fits 32 bits.
#ifndef TRIPOLL_SOCKET_CALLS_H_
#define TRIPOLL_SOCKET_CALLS_H_

#include <cstddef>
#include <cstdint>

#include "os_socket.h"  // this system's: see the include paths of the build files

namespace tripoll {

// Of all sends but those of raw.sys, whose flags are the caller's. They never wait: who shares the
// open file, by a dup or a passed fd, may have cleared its O_NONBLOCK (T44). Nor do they raise a
// signal (T43).
constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

// As many buffers as one vectored write takes; more are sent by the next. Linux's own UIO_FASTIOV
// is 8: beyond it the kernel allocates.
constexpr size_t kMostVectors = 64;

}  // namespace tripoll

namespace tripoll::os {

int Socket(int domain, int type, int protocol);
int Bind(int fd, const sockaddr* address, socklen_t length);
int Listen(int fd, int backlog);
int Accept4(int fd, sockaddr* address, socklen_t* length, int flags);
int Connect(int fd, const sockaddr* address, socklen_t length);
// These two are counted by who calls them: see CountsOfThread.
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

}  // namespace tripoll::os

#endif  // TRIPOLL_SOCKET_CALLS_H_
