#ifndef TRIPOLL_OWNED_FDS_H_
#define TRIPOLL_OWNED_FDS_H_

#include <cstddef>
#include <vector>

#include "socket_calls.h"

namespace tripoll {

// The fds that one environment opened through us and has not closed. When its thread is terminated
// no JavaScript runs, and what is left here is closed then (T50). A bit a number: an accept or a
// close costs no allocation.
class OwnedFds {
 public:
  OwnedFds() = default;
  OwnedFds(const OwnedFds&) = delete;
  OwnedFds& operator=(const OwnedFds&) = delete;
  ~OwnedFds() { CloseAll(); }

  void Insert(int fd) {
    const auto index = static_cast<size_t>(fd);
    if (index >= owned_.size()) owned_.resize(index + 1 + index / 2);
    owned_[index] = true;
  }

  // Whether it was there.
  bool Remove(int fd) {
    if (fd < 0 || static_cast<size_t>(fd) >= owned_.size()) return false;
    const bool was = owned_[static_cast<size_t>(fd)];
    owned_[static_cast<size_t>(fd)] = false;
    return was;
  }

  void CloseAll() {
    for (size_t fd = 0; fd < owned_.size(); fd++) {
      // There is nobody to tell, and EINTR has closed (T42).
      if (owned_[fd]) static_cast<void>(os::Close(static_cast<int>(fd)));
    }
    owned_.clear();
  }

 private:
  std::vector<bool> owned_;
};

}  // namespace tripoll

#endif  // TRIPOLL_OWNED_FDS_H_
