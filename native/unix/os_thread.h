#ifndef TRIPOLL_UNIX_OS_THREAD_H_
#define TRIPOLL_UNIX_OS_THREAD_H_

#include <pthread.h>

#include <csignal>

namespace tripoll {

// A thread of our own. Its owner joins it before anything that it uses goes.
class OsThread {
 public:
  using Main = void (*)(void* data);

  // 0, or -errno.
  int Start(Main main, void* data) {
    main_ = main;
    data_ = data;
    // Signals belong to the threads of the host: ours takes none.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&thread_, nullptr, Enter, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    running_ = error == 0;
    return -error;
  }

  bool running() const { return running_; }

  void Join() {
    if (!running_) return;
    pthread_join(thread_, nullptr);
    running_ = false;
  }

 private:
  static void* Enter(void* self) {
    auto* thread = static_cast<OsThread*>(self);
    thread->main_(thread->data_);
    return nullptr;
  }

  pthread_t thread_{};
  bool running_ = false;
  Main main_ = nullptr;
  void* data_ = nullptr;
};

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_OS_THREAD_H_
