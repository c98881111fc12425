#ifndef TRIPOLL_UNIQUE_FD_H_
#define TRIPOLL_UNIQUE_FD_H_

#include <utility>

#include "socket_calls.h"

namespace tripoll {

// An fd that is closed when its owner goes, on whatever path that is. A negative number, such as
// the -errno of a call that was to open it, is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(-1); }

  int get() const { return fd_; }
  // The fd is the caller's from now on.
  int Release() { return std::exchange(fd_, -1); }
  // Closes what it has, and owns this one.
  void Reset(int fd) {
    const int old = std::exchange(fd_, fd);
    // Nobody waits for the result: EINTR has closed as well, and another try could close a
    // stranger's fd (T42).
    if (old >= 0) static_cast<void>(os::Close(old));
  }

 private:
  int fd_ = -1;
};

}  // namespace tripoll

#endif  // TRIPOLL_UNIQUE_FD_H_
