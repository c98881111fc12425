#ifndef TRIPOLL_WINDOWS_NET_H_
#define TRIPOLL_WINDOWS_NET_H_

#include "windows/windows_headers.h"

namespace tripoll::os {

// The SOCKET of an fd: the same number.
SOCKET ToSocket(int fd);

// 0; -EBADF of a closed handle, -ENOTSOCK of another's.
int CheckSocket(int fd);

}  // namespace tripoll::os

#endif  // TRIPOLL_WINDOWS_NET_H_
