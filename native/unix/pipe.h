#ifndef TRIPOLL_UNIX_PIPE_H_
#define TRIPOLL_UNIX_PIPE_H_

#include <fcntl.h>

#include "unique_fd.h"

namespace tripoll {

// A pipe that wakes a poller; neither end waits. 0 or -errno.
inline int OpenPipe(UniqueFd (&ends)[2]) {
  int fds[2];
  const int error = os::Pipe2(fds, O_NONBLOCK | O_CLOEXEC);
  if (error < 0) return error;
  for (int i = 0; i < 2; i++) ends[i].Reset(fds[i]);
  return 0;
}

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_PIPE_H_
