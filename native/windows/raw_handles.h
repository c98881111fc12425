#ifndef TRIPOLL_WINDOWS_RAW_HANDLES_H_
#define TRIPOLL_WINDOWS_RAW_HANDLES_H_

#include <cstdint>
#include <string>
#include <unordered_set>

#include "windows/windows_headers.h"

namespace tripoll {

// The pipes and files that an environment opened through the raw API, all for overlapped use. What
// is left at its end is closed then (T50). Results are a handle's number or -errno.
class RawHandles {
 public:
  RawHandles() = default;
  RawHandles(const RawHandles&) = delete;
  RawHandles& operator=(const RawHandles&) = delete;
  ~RawHandles();

  // The server's end of a byte-wise duplex pipe; `most` instances of it at a time, 255: no limit.
  int CreatePipe(const std::string& name, uint32_t most);
  // CreateFileW, also of a pipe's client end.
  int OpenFile(const std::string& name, uint32_t access, uint32_t disposition);
  // -EBADF of what was not opened here.
  int Close(HANDLE handle);

 private:
  int Own(HANDLE handle);

  std::unordered_set<HANDLE> owned_;
};

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_RAW_HANDLES_H_
