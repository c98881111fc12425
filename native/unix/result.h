// How every os:: call of a Unix system ends: it gives n >= 0 or -errno, and is counted.
#ifndef TRIPOLL_UNIX_RESULT_H_
#define TRIPOLL_UNIX_RESULT_H_

#include <sys/types.h>

#include <cerrno>

#include "syscall_counts.h"

namespace tripoll {

// Of a call that its caller counts.
inline int Uncounted(ssize_t value) { return value < 0 ? -errno : static_cast<int>(value); }

// Not inline: a hundred calls end so.
[[gnu::noinline]] inline int Result(ssize_t value, Syscall kind = Syscall::kOther) {
  const int result = Uncounted(value);  // before anything changes errno
  CountCall(kind);
  return result;
}

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_RESULT_H_
