// The inverted driver, under run(): before libuv would poll, we wait in our poller instead, with
// libuv's own backend fd in the set, and let libuv poll (without waiting) when that is ready or its
// timers are due. No wait is entered from a JavaScript frame: microtasks, timers and terminate() go
// on working.
#include <cerrno>

#include "steady_time.h"
#include "unix/libuv_driver_wrap.h"

namespace tripoll {

namespace {

// Batches before libuv gets its turn though it asked for none: libuv polls as often in a row (its
// own 48). Each may have waited, so time alone would not tell what they took.
constexpr int kBatchesPerIteration = 48;

class InvertedDriver final : public LibuvDriver {
 public:
  InvertedDriver(napi_env env, PollerEntry* entry, const LibuvSymbols* uv)
      : LibuvDriver(env, entry, uv) {}

 private:
  ~InvertedDriver() override = default;

  int StartHandles(uv_loop_s* loop) override;
  void OnClose(Poller* poller) override { static_cast<void>(poller->UnwatchHost()); }
  void WaitForBatches();
  bool WaitForBatch(int64_t* spent_ns);
  static void OnPrepare(void* handle);
  static void OnIdle(void* /*handle*/) {}

  uv_loop_s* loop_ = nullptr;
  void* idle_ = nullptr;
};

int InvertedDriver::StartHandles(uv_loop_s* loop) {
  loop_ = loop;
  int error = entry()->poller->WatchHost(uv().backend_fd(loop));
  if (error < 0) return error;
  void* prepare = NewHandle(kUvPrepareType);
  idle_ = NewHandle(kUvIdleType);
  if (prepare == nullptr || idle_ == nullptr) return -ENOMEM;
  error = uv().prepare_init(loop, prepare);
  if (error < 0) return error;
  AddHandle(prepare);
  error = uv().idle_init(loop, idle_);
  if (error < 0) return error;
  AddHandle(idle_);
  uv().unref(idle_);
  error = uv().prepare_start(prepare, OnPrepare);
  return error < 0 ? error : uv().idle_start(idle_, OnIdle);
}

void InvertedDriver::OnPrepare(void* handle) {
  auto* driver = static_cast<InvertedDriver*>(FromHandle(handle));
  if (driver->closed()) return;
  // While it runs, the idle handle makes libuv's timeout 0; it must not do so when we ask for the
  // real one.
  static_cast<void>(driver->uv().idle_stop(driver->idle_));
  driver->WaitForBatches();
  // libuv must not wait in its own poll: we have done so.
  if (!driver->closed()) static_cast<void>(driver->uv().idle_start(driver->idle_, OnIdle));
}

void InvertedDriver::WaitForBatches() {
  int64_t spent_ns = 0;
  for (int i = 0; i < kBatchesPerIteration && spent_ns < kMaxRowNs; i++) {
    if (!WaitForBatch(&spent_ns) || closed()) return;
  }
}

// False when it is libuv's turn. Adds the time that the delivery took.
bool InvertedDriver::WaitForBatch(int64_t* spent_ns) {
  uv().update_time(loop_);
  const int timeout_ms = uv().backend_timeout(loop_);
  const int64_t timeout_ns = timeout_ms < 0 ? -1 : timeout_ms * kNsPerMs;
  const WaitResult result = entry()->Wait(timeout_ns);
  const int64_t begin_ns = NowNs();
  if (result.count != 0 || result.woken) Deliver(result.count);
  *spent_ns += NowNs() - begin_ns;
  // A timeout of 0: libuv has timers, immediates, or watchers to make known to the kernel.
  return result.count > 0 && timeout_ms != 0 && !result.host_ready;
}

}  // namespace

int StartInvertedDriver(napi_env env, PollerEntry* entry, napi_value callback) {
  const LibuvSymbols* uv = FindLibuv();
  if (uv == nullptr) return -ENOTSUP;
  return (new InvertedDriver(env, entry, uv))->Begin(callback, "tripoll.inverted");
}

}  // namespace tripoll
