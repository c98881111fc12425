// What the nested and the inverted driver share: handles on the runtime's own libuv loop, and their
// end.
#ifndef TRIPOLL_UNIX_LIBUV_DRIVER_WRAP_H_
#define TRIPOLL_UNIX_LIBUV_DRIVER_WRAP_H_

#include "env_wrap.h"
#include "unix/libuv_symbols.h"

namespace tripoll {

class LibuvDriver : public Driver {
 public:
  // Starts and hands itself over to the entry, or frees itself. 0 or -errno.
  int Begin(napi_value callback, const char* name);
  void Ref() override { uv_->ref(keeper()); }
  void Unref() override { uv_->unref(keeper()); }
  int Close() override;

 protected:
  LibuvDriver(napi_env env, PollerEntry* entry, const LibuvSymbols* uv)
      : env_(env), entry_(entry), uv_(uv) {}
  ~LibuvDriver() override;

  // Makes and starts the handles with AddHandle; on an error those that were made are closed.
  virtual int StartHandles(uv_loop_s* loop) = 0;
  // Before the handles close.
  virtual void OnClose(Poller* /*poller*/) {}
  // The handle that keeps the loop alive, or does not.
  void* keeper() const { return handles_[0].memory; }

  // Zeroed bytes for a handle of this type; null when there are none.
  void* NewHandle(int type);
  // After its init function has succeeded: from now on it must be closed.
  void AddHandle(void* handle);
  void Deliver(int count) const { CallContained(env_, context_, callback_, count); }
  bool closed() const { return entry_ == nullptr; }
  PollerEntry* entry() const { return entry_; }
  const LibuvSymbols& uv() const { return *uv_; }

  static LibuvDriver* FromHandle(const void* handle);

 private:
  // One for nested, two for inverted.
  static constexpr int kMostHandles = 2;
  struct Handle {
    void* memory = nullptr;
  };

  bool PrepareCallback(napi_value callback, const char* name);
  void CloseHandles();
  static void OnTeardown(napi_async_cleanup_hook_handle hook, void* data);
  static void OnClosed(void* handle);

  napi_env env_;
  PollerEntry* entry_;  // null once closed
  const LibuvSymbols* uv_;
  Handle handles_[kMostHandles];
  int handle_count_ = 0;
  int open_handles_ = 0;
  napi_ref callback_ = nullptr;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle teardown_hook_ = nullptr;
};

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_LIBUV_DRIVER_WRAP_H_
