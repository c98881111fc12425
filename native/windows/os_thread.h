#ifndef TRIPOLL_WINDOWS_OS_THREAD_H_
#define TRIPOLL_WINDOWS_OS_THREAD_H_

#include "windows/windows_headers.h"

#include <process.h>

#include "os_errno.h"

namespace tripoll {

// A thread of our own. Its owner joins it before anything that it uses goes.
class OsThread {
 public:
  using Main = void (*)(void* data);

  // 0, or -errno.
  int Start(Main main, void* data) {
    main_ = main;
    data_ = data;
    // Not CreateThread: the C runtime wants to know of the threads that use it.
    const uintptr_t handle = _beginthreadex(nullptr, 0, Enter, this, 0, nullptr);
    // EAGAIN: too many threads; EACCES: too little memory.
    if (handle == 0) return -EAGAIN;
    thread_ = reinterpret_cast<HANDLE>(handle);
    return 0;
  }

  bool running() const { return thread_ != nullptr; }

  void Join() {
    if (thread_ == nullptr) return;
    WaitForSingleObject(thread_, INFINITE);
    CloseHandle(thread_);
    thread_ = nullptr;
  }

 private:
  static unsigned __stdcall Enter(void* self) {
    auto* thread = static_cast<OsThread*>(self);
    thread->main_(thread->data_);
    return 0;
  }

  HANDLE thread_ = nullptr;
  Main main_ = nullptr;
  void* data_ = nullptr;
};

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_OS_THREAD_H_
