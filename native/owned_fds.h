#ifndef TRIPOLL_OWNED_FDS_H_
#define TRIPOLL_OWNED_FDS_H_

#include "fd_table.h"
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

  void Insert(int fd) { owned_.Set(fd, true); }

  // Whether it was there.
  bool Remove(int fd) {
    const bool was = owned_.Get(fd);
    owned_.Clear(fd);
    return was;
  }

  void CloseAll() {
    for (int fd = 0; fd < owned_.end(); fd++) {
      // There is nobody to tell, and EINTR has closed (T42).
      if (Remove(fd)) static_cast<void>(os::Close(fd));
    }
  }

 private:
  FdTable<bool> owned_;
};

}  // namespace tripoll

#endif  // TRIPOLL_OWNED_FDS_H_
