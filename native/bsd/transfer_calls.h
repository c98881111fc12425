// What the BSDs and macOS have besides, each in its own way: sendfile, and who is at the other end.
#ifndef TRIPOLL_BSD_TRANSFER_CALLS_H_
#define TRIPOLL_BSD_TRANSFER_CALLS_H_

#include <cstddef>
#include <cstdint>

namespace tripoll::os {

// NetBSD and OpenBSD have no sendfile.
extern const bool kHasSendfile;

// As Linux' own: the bytes that went out, 0 at the end of the file, or -errno.
int Sendfile(int out_fd, int in_fd, int64_t offset, size_t length);

// pid (0 where the system does not tell), effective uid and gid of a Unix socket's peer. 0 or
// -errno.
int PeerCredentials(int fd, int32_t out[3]);

}  // namespace tripoll::os

#endif  // TRIPOLL_BSD_TRANSFER_CALLS_H_
