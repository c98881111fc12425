// How every os:: call of a Unix system ends: n >= 0 or -errno.
#ifndef TRIPOLL_UNIX_RESULT_H_
#define TRIPOLL_UNIX_RESULT_H_

#include <cerrno>

namespace tripoll {

template <typename T>
int Result(T value) {
  return value < 0 ? -errno : static_cast<int>(value);
}

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_RESULT_H_
