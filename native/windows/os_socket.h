// Unix' socket types and constants, where Windows has them otherwise or not at all: so that the
// files which all systems share need not ask.
#ifndef TRIPOLL_WINDOWS_OS_SOCKET_H_
#define TRIPOLL_WINDOWS_OS_SOCKET_H_

#include <cstddef>
#include <cstdint>

#include "windows/windows_headers.h"

struct iovec {
  void* iov_base;
  size_t iov_len;
};

// As far as net.cc reads it.
struct msghdr {
  iovec* msg_iov;
  size_t msg_iovlen;
};

// Flags of Socket and Accept4: not Windows' numbers but Linux', of which Windows knows nothing.
#define SOCK_NONBLOCK 0x800
#define SOCK_CLOEXEC 0x80000

// There are no signals to suppress (T43).
#define MSG_NOSIGNAL 0

#define SHUT_RD SD_RECEIVE
#define SHUT_WR SD_SEND
#define SHUT_RDWR SD_BOTH

// What Fcntl understands, with Linux' numbers.
#define F_DUPFD 0
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_DUPFD_CLOEXEC 1030
#define FD_CLOEXEC 1
#define O_NONBLOCK 0x800
#define O_CLOEXEC 0x80000

#endif  // TRIPOLL_WINDOWS_OS_SOCKET_H_
