// What a kqueue would say of a file: the answer of poll(2), and of TCP where that is not enough.
#ifndef TRIPOLL_TEST_KQUEUE_SHIM_FILE_STATE_H_
#define TRIPOLL_TEST_KQUEUE_SHIM_FILE_STATE_H_

#include <cstdint>

namespace kqueue_shim {

struct FilterState {
  bool ready = false;
  bool ended = false;  // EV_EOF
  int error = 0;       // fflags of an EV_EOF
  int64_t data = 0;
};

struct FileState {
  bool closed = false;  // the number means no open file
  FilterState read;
  FilterState write;
};

FileState AskFile(int fd);

// A pipe whose reader has gone: kqueue refuses its write filter with EPIPE.
bool IsBrokenPipe(int fd);

}  // namespace kqueue_shim

#endif  // TRIPOLL_TEST_KQUEUE_SHIM_FILE_STATE_H_
