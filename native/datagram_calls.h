// The calls of datagrams, by Unix' names and with its results, a part of what os_calls.h has on
// Unix: on Windows native/windows/message_calls.cc makes them of Winsock.
#ifndef TRIPOLL_DATAGRAM_CALLS_H_
#define TRIPOLL_DATAGRAM_CALLS_H_

#include "socket_calls.h"

namespace tripoll {

// One message of a batch, laid out as the mmsghdr of systems that have one.
struct BatchMessage {
  msghdr header;
  unsigned length;
};

}  // namespace tripoll

namespace tripoll::os {

// fds that come with it are close-on-exec.
int Recvmsg(int fd, msghdr* message, int flags);
// Both say -ENOSYS where the system has no such call.
int Sendmmsg(int fd, BatchMessage* messages, unsigned count, int flags);
int Recvmmsg(int fd, BatchMessage* messages, unsigned count, int flags);
// The number of a network interface.
int IfNametoindex(const char* name);

}  // namespace tripoll::os

#endif  // TRIPOLL_DATAGRAM_CALLS_H_
