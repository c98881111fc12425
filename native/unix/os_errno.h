#ifndef TRIPOLL_UNIX_OS_ERRNO_H_
#define TRIPOLL_UNIX_OS_ERRNO_H_

#include <cerrno>  // IWYU pragma: export

#endif  // TRIPOLL_UNIX_OS_ERRNO_H_
