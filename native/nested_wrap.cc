// The nested driver: Node's own loop watches the poller's fd, and each time it is readable one batch
// is taken without waiting and handed to JavaScript.
#include <cerrno>
#include <cstdlib>

#include "env_wrap.h"
#include "unix/libuv_symbols.h"

namespace tripoll {

namespace {

class NestedDriver final : public Driver {
 public:
  NestedDriver(napi_env env, PollerEntry* entry, const LibuvSymbols* uv) : env_(env), entry_(entry), uv_(uv) {}

  int Start(napi_value callback);
  void Ref() override { uv_->ref(handle_); }
  void Unref() override { uv_->unref(handle_); }
  void Close() override;

 private:
  ~NestedDriver() override;

  bool PrepareCallback(napi_value callback);
  static void OnReadable(void* handle, int status, int events);
  static void OnTeardown(napi_async_cleanup_hook_handle hook, void* data);
  static void OnClosed(void* handle);

  napi_env env_;
  PollerEntry* entry_;  // null once closed
  const LibuvSymbols* uv_;
  void* handle_ = nullptr;
  napi_ref callback_ = nullptr;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle teardown_hook_ = nullptr;

  friend int ::tripoll::StartNestedDriver(napi_env, PollerEntry*, napi_value);
};

NestedDriver::~NestedDriver() {
  // In a dying environment these fail, and then its end frees both.
  if (callback_ != nullptr) static_cast<void>(napi_delete_reference(env_, callback_));
  if (context_ != nullptr) static_cast<void>(napi_async_destroy(env_, context_));
  std::free(handle_);
}

bool NestedDriver::PrepareCallback(napi_value callback) {
  napi_value name = nullptr;
  return napi_create_reference(env_, callback, 1, &callback_) == napi_ok &&
         napi_create_string_utf8(env_, "tripoll.nested", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_async_init(env_, nullptr, name, &context_) == napi_ok;
}

int NestedDriver::Start(napi_value callback) {
  uv_loop_s* loop = nullptr;
  if (!PrepareCallback(callback) || napi_get_uv_event_loop(env_, &loop) != napi_ok) return -ENOTSUP;
  handle_ = std::calloc(1, uv_->handle_size(kUvPollType));
  if (handle_ == nullptr) return -ENOMEM;
  int error = uv_->poll_init(loop, handle_, entry_->poller->NestableFd());
  if (error < 0) return error;
  uv_->handle_set_data(handle_, this);
  error = uv_->poll_start(handle_, kUvReadable, OnReadable);
  uv_->unref(handle_);
  // An async hook, removed in the close callback: with a sync one, or none, the loop of a worker that
  // alone had loaded the addon was gone before the handle had closed, and that crashed (T50).
  if (error == 0 && napi_add_async_cleanup_hook(env_, OnTeardown, this, &teardown_hook_) == napi_ok) return 0;
  uv_->close(handle_, OnClosed);
  return error < 0 ? error : -ENOMEM;
}

void NestedDriver::OnReadable(void* handle, int status, int /*events*/) {
  auto* driver = static_cast<NestedDriver*>(FindLibuv()->handle_get_data(handle));
  if (driver->entry_ == nullptr) return;
  WaitResult result{status, false};
  if (status == 0) result = driver->entry_->poller->Wait(0, driver->entry_->records());
  if (result.count == 0 && !result.woken) return;
  // A poller that cannot wait would be readable for ever: say so once and stop.
  if (result.count < 0) static_cast<void>(driver->uv_->poll_stop(handle));
  CallContained(driver->env_, driver->context_, driver->callback_, result.count);
}

void NestedDriver::Close() {
  if (entry_ == nullptr) return;
  entry_->driver = nullptr;
  entry_ = nullptr;
  // After uv_close libuv no longer looks at the fd: the poller may close it at once.
  // SAFETY: libuv owns the handle's bytes until OnClosed, which frees them with this object.
  uv_->close(handle_, OnClosed);
}

void NestedDriver::OnTeardown(napi_async_cleanup_hook_handle /*hook*/, void* data) {
  static_cast<NestedDriver*>(data)->Close();
}

void NestedDriver::OnClosed(void* handle) {
  auto* driver = static_cast<NestedDriver*>(FindLibuv()->handle_get_data(handle));
  napi_async_cleanup_hook_handle hook = driver->teardown_hook_;
  delete driver;
  if (hook != nullptr) static_cast<void>(napi_remove_async_cleanup_hook(hook));
}

}  // namespace

int StartNestedDriver(napi_env env, PollerEntry* entry, napi_value callback) {
  const LibuvSymbols* uv = FindLibuv();
  if (uv == nullptr || entry->poller->NestableFd() < 0) return -ENOTSUP;
  auto* driver = new NestedDriver(env, entry, uv);
  const int error = driver->Start(callback);
  if (error == 0) {
    entry->driver = driver;
    return 0;
  }
  driver->entry_ = nullptr;
  if (driver->handle_ == nullptr || uv->handle_get_data(driver->handle_) == nullptr) delete driver;
  return error;
}

}  // namespace tripoll
