// The nested driver: Node's own loop watches the poller's fd, and each time it is readable one
// batch is taken without waiting and handed to JavaScript.
#include <cerrno>

#include "unix/libuv_driver_wrap.h"

namespace tripoll {

namespace {

class NestedDriver final : public LibuvDriver {
 public:
  NestedDriver(napi_env env, PollerEntry* entry, const LibuvSymbols* uv)
      : LibuvDriver(env, entry, uv) {}

 private:
  ~NestedDriver() override = default;

  int StartHandles(uv_loop_s* loop) override;
  static void OnReadable(void* handle, int status, int events);
};

int NestedDriver::StartHandles(uv_loop_s* loop) {
  void* handle = NewHandle(kUvPollType);
  if (handle == nullptr) return -ENOMEM;
  const int error = uv().poll_init(loop, handle, entry()->poller->NestableFd());
  if (error < 0) return error;
  AddHandle(handle);
  return uv().poll_start(handle, kUvReadable, OnReadable);
}

void NestedDriver::OnReadable(void* handle, int status, int /*events*/) {
  auto* driver = static_cast<NestedDriver*>(FromHandle(handle));
  if (driver->closed()) return;
  WaitResult result;
  result.count = status;
  if (status == 0) result = driver->entry()->poller->Wait(0, driver->entry()->records());
  if (result.count == 0 && !result.woken) return;
  // A poller that cannot wait would be readable for ever: say so once and stop.
  if (result.count < 0) static_cast<void>(driver->uv().poll_stop(handle));
  driver->Deliver(result.count);
}

}  // namespace

int StartNestedDriver(napi_env env, PollerEntry* entry, napi_value callback) {
  const LibuvSymbols* uv = FindLibuv();
  if (uv == nullptr || entry->poller->NestableFd() < 0) return -ENOTSUP;
  return (new NestedDriver(env, entry, uv))->Begin(callback, "tripoll.nested");
}

}  // namespace tripoll
