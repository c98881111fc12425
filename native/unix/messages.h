#ifndef TRIPOLL_UNIX_MESSAGES_H_
#define TRIPOLL_UNIX_MESSAGES_H_

#include <cstddef>

#include "span.h"

namespace tripoll {

// As many fds as one message takes: SCM_MAX_FD of Linux (include/net/scm.h); no other system takes
// more.
constexpr int kMostFds = 253;

struct ReceivedMessage {
  int flags = 0;           // MSG_TRUNC, MSG_CTRUNC and the like
  int fd_count = 0;        // how many fds[] are ours from now on
  int closed_count = 0;    // how many came beyond the capacity, and were closed
  size_t name_length = 0;  // of the sender's address; 0 where it has none
  int fds[kMostFds];
};

// One recvmsg(2). Of the fds that came with it the first fd_capacity are kept, close-on-exec; the
// others are closed, whatever became of the message (T46); with none to keep the system drops them
// all, and says MSG_CTRUNC. Returns the bytes, or -errno.
int ReceiveMessage(int fd, Span buffer, Span name, int flags, int fd_capacity,
                   ReceivedMessage* received);

// One sendmsg(2) without SIGPIPE, to name unless that is empty, with the fds, of which at most
// kMostFds fit into one message. Returns the bytes, or -errno.
int SendMessage(int fd, Span buffer, Span name, const int* fds, int fd_count);

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_MESSAGES_H_
