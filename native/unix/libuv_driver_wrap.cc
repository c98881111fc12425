#include "unix/libuv_driver_wrap.h"

#include <cerrno>
#include <cstdlib>

namespace tripoll {

LibuvDriver::~LibuvDriver() {
  // In a dying environment these fail, and then its end frees both.
  if (callback_ != nullptr) static_cast<void>(napi_delete_reference(env_, callback_));
  if (context_ != nullptr) static_cast<void>(napi_async_destroy(env_, context_));
  for (const Handle& handle : handles_) std::free(handle.memory);
}

bool LibuvDriver::PrepareCallback(napi_value callback, const char* name) {
  napi_value resource_name = nullptr;
  return napi_create_reference(env_, callback, 1, &callback_) == napi_ok &&
         napi_create_string_utf8(env_, name, NAPI_AUTO_LENGTH, &resource_name) == napi_ok &&
         napi_async_init(env_, nullptr, resource_name, &context_) == napi_ok;
}

int LibuvDriver::Begin(napi_value callback, const char* name) {
  uv_loop_s* loop = nullptr;
  int error = -ENOMEM;
  if (PrepareCallback(callback, name) && napi_get_uv_event_loop(env_, &loop) == napi_ok)
    error = StartHandles(loop);
  // An async hook, removed in the close callback: with a sync one, or none, the loop of a worker
  // that alone had loaded the addon was gone before the handle had closed, and that crashed (T50).
  if (error == 0 && napi_add_async_cleanup_hook(env_, OnTeardown, this, &teardown_hook_) != napi_ok)
    error = -ENOMEM;
  if (error == 0) {
    Unref();
    entry_->driver = this;
    return 0;
  }
  if (open_handles_ == 0) {
    OnClose(entry_->poller.get());
    delete this;
  } else {
    static_cast<void>(Close());
  }
  return error;
}

void* LibuvDriver::NewHandle(int type) {
  void* memory = std::calloc(1, uv_->handle_size(type));
  if (memory != nullptr) handles_[handle_count_++].memory = memory;
  return memory;
}

void LibuvDriver::AddHandle(void* handle) {
  uv_->handle_set_data(handle, this);
  open_handles_++;
}

int LibuvDriver::Close() {
  if (entry_ == nullptr) return 0;
  OnClose(entry_->poller.get());
  entry_->driver = nullptr;
  entry_ = nullptr;
  CloseHandles();
  return 0;  // a batch is delivered as it is taken
}

void LibuvDriver::CloseHandles() {
  // After uv_close libuv no longer looks at the poller's fd, which may be closed at once.
  // SAFETY: libuv owns the handles' bytes until OnClosed has run for each; the last one frees them.
  for (int i = 0; i < handle_count_; i++) {
    if (uv_->handle_get_data(handles_[i].memory) == this) uv_->close(handles_[i].memory, OnClosed);
  }
}

LibuvDriver* LibuvDriver::FromHandle(const void* handle) {
  return static_cast<LibuvDriver*>(FindLibuv()->handle_get_data(handle));
}

void LibuvDriver::OnTeardown(napi_async_cleanup_hook_handle /*hook*/, void* data) {
  static_cast<void>(static_cast<LibuvDriver*>(data)->Close());
}

void LibuvDriver::OnClosed(void* handle) {
  LibuvDriver* driver = FromHandle(handle);
  if (--driver->open_handles_ > 0) return;
  napi_async_cleanup_hook_handle hook = driver->teardown_hook_;
  delete driver;
  if (hook != nullptr) static_cast<void>(napi_remove_async_cleanup_hook(hook));
}

}  // namespace tripoll
