// The nested driver: Node's own loop watches the poller's fd, and each time it is readable batches
// are taken without waiting and handed to JavaScript.
#include <cerrno>

#include "steady_time.h"
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
  int DeliverInARow();
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
  int count = status;
  if (status == 0) count = driver->closed() ? 0 : driver->DeliverInARow();
  // A poller that cannot wait would be readable for ever: say so once and stop.
  if (count >= 0 || driver->closed()) return;
  static_cast<void>(driver->uv().poll_stop(handle));
  driver->Deliver(count);
}

// 0, or the error of a wait. After a batch of some size others have become ready meanwhile, as a
// rule: to ask again costs less than a turn of the host's loop. After a single record it would not.
int NestedDriver::DeliverInARow() {
  const int64_t end_ns = NowNs() + kMaxRowNs;
  for (;;) {
    const WaitResult result = entry()->poller->Wait(0, entry()->records());
    if (result.count < 0) return result.count;
    if (result.count > 0 || result.woken) Deliver(result.count);
    if (result.count <= 1 || closed() || NowNs() >= end_ns) return 0;
  }
}

}  // namespace

int StartNestedDriver(napi_env env, PollerEntry* entry, napi_value callback) {
  const LibuvSymbols* uv = FindLibuv();
  if (uv == nullptr || entry->poller->NestableFd() < 0) return -ENOTSUP;
  return (new NestedDriver(env, entry, uv))->Begin(callback, "tripoll.nested");
}

}  // namespace tripoll
