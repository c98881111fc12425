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

struct msghdr {
  void* msg_name;
  socklen_t msg_namelen;
  iovec* msg_iov;
  size_t msg_iovlen;
  void* msg_control;
  size_t msg_controllen;
  int msg_flags;
};

// Newer headers have these, some of them for WSAMSG.
using cmsghdr = WSACMSGHDR;
#undef CMSG_DATA
#undef CMSG_LEN
#undef CMSG_SPACE
#undef CMSG_FIRSTHDR
#undef CMSG_NXTHDR
#define CMSG_DATA(part) WSA_CMSG_DATA(part)
#define CMSG_LEN(bytes) WSA_CMSG_LEN(bytes)
#define CMSG_SPACE(bytes) WSA_CMSG_SPACE(bytes)
#define CMSG_FIRSTHDR(message) tripoll::NextPart(message, nullptr)
#define CMSG_NXTHDR(message, part) tripoll::NextPart(message, part)

namespace tripoll {

// Of a part that ends past the message nothing is read.
inline cmsghdr* NextPart(const msghdr* message, const cmsghdr* part) {
  auto* begin = static_cast<uint8_t*>(message->msg_control);
  size_t at = 0;
  if (part != nullptr) {
    at = static_cast<size_t>(reinterpret_cast<const uint8_t*>(part) - begin);
    const size_t left = message->msg_controllen - at;
    if (part->cmsg_len < CMSG_LEN(0) || part->cmsg_len > left) return nullptr;
    at += WSA_CMSGHDR_ALIGN(part->cmsg_len);
  }
  if (begin == nullptr || at > message->msg_controllen ||
      message->msg_controllen - at < CMSG_LEN(0)) {
    return nullptr;
  }
  auto* next = reinterpret_cast<cmsghdr*>(begin + at);
  return next->cmsg_len > message->msg_controllen - at ? nullptr : next;
}

}  // namespace tripoll

// Flags of Socket and Accept4: not Windows' numbers but Linux', of which Windows knows nothing.
#define SOCK_NONBLOCK 0x800
#define SOCK_CLOEXEC 0x80000

// There are no signals to suppress (T43).
#define MSG_NOSIGNAL 0
// No call can be asked not to wait: the socket has to be non-blocking.
#define MSG_DONTWAIT 0

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
