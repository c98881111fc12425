#ifndef TRIPOLL_WINDOWS_NET_H_
#define TRIPOLL_WINDOWS_NET_H_

#include "socket_calls.h"

namespace tripoll::os {

// The SOCKET of an fd: the same number.
SOCKET ToSocket(int fd);

// What a call that says SOCKET_ERROR failed with, or its value.
int Result(int fd, int value);
int ErrorOf(int fd);

// The same of a datagram's, where Unix has others: ECONNREFUSED of the peer, EDESTADDRREQ.
int ErrorOfReceive(int fd);
int ErrorOfSend(int fd, bool has_name);

bool IsDatagram(int fd);

// The most bytes that a call sends. Windows takes what a call gives it whole, of any length, while
// less than SO_SNDBUF waits in the socket (Microsoft's support article 214397): so nobody would
// ever hear that it is full. More than a datagram can have, so that one too long is refused still.
constexpr ULONG kMostPerSend = ULONG{256} << 10;

// Vectors as Winsock takes them. Returns how many.
DWORD ToBuffers(const msghdr& message, WSABUF (&buffers)[kMostVectors]);

// Unix' struct ip_mreqn as Windows takes it: an address of the interface. Or -errno.
int SetMulticastInterface(int fd, const void* request);

// 0; -EBADF of a closed handle, -ENOTSOCK of another's.
int CheckSocket(int fd);

}  // namespace tripoll::os

#endif  // TRIPOLL_WINDOWS_NET_H_
