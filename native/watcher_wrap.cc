// The watcher driver: a thread waits in the poller and brings each batch to JavaScript through a
// thread-safe function. It does not wait again before the batch has been consumed, because both use
// one batch memory. Whoever consumed a batch looks for the next one before it wakes the thread:
// under load that spares two context switches a batch.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "env_wrap.h"
#include "os_errno.h"
#include "os_thread.h"
#include "steady_time.h"
#include "syscall_counts.h"

namespace tripoll {

namespace {

// How long one wake has to end the thread, before it is woken in another way: far longer than a
// loaded machine takes to run a thread.
constexpr std::chrono::milliseconds kWakeTakes{100};

// Two seconds in all, as IocpPoller::DrainPolls gives what it has cancelled: who closes must not
// wait for ever, and each round may write into a stranger's fd.
constexpr int kMaxWakeRounds = 10;

class WatcherDriver final : public Driver {
 public:
  WatcherDriver(napi_env env, PollerEntry* entry)
      : env_(env), entry_(entry), poller_(entry->poller.get()), records_(entry->records()) {}

  int Start(napi_value callback);
  void Ref() override { static_cast<void>(napi_ref_threadsafe_function(env_, function_)); }
  void Unref() override { static_cast<void>(napi_unref_threadsafe_function(env_, function_)); }
  void Release() override;
  int Close() override;

 private:
  ~WatcherDriver() override = default;

  int StartThread();
  bool EndsSoon();
  bool WakeToEnd();
  void JoinThread(PollerEntry* entry);
  void Run();
  bool DeliverAndWait(int count);
  bool DeliverOne(napi_env env);
  bool CallAgain(napi_env env);
  bool Hold(napi_env env);
  static void ThreadMain(void* data);
  static void OnBatch(napi_env env, napi_value function, void* context, void* data);
  static void OnTeardown(void* data);
  static void OnFinalize(napi_env env, void* data, void* hint);

  napi_env env_;
  PollerEntry* entry_;  // null once closed
  Poller* const poller_;
  EventRecord* const records_;
  napi_ref callback_ = nullptr;
  napi_threadsafe_function function_ = nullptr;
  OsThread thread_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool quit_ = false;
  bool ended_ = false;      // the thread has left Run, and touches nothing any more
  bool abandoned_ = false;  // the thread could not be woken: what it points at is never freed
  // The thread's until it delivers, JavaScript's until that is consumed:
  bool consumed_ = true;
  int count_ = 0;         // records that wait for delivery, or the -errno of a wait
  SyscallCounts counts_;  // what the thread has done since the last delivery
  // JavaScript's thread only:
  int64_t row_end_ns_ = 0;  // 0 while no row is under way
  int64_t last_hold_ns_ = 0;
  bool held_ = false;
};

int WatcherDriver::Start(napi_value callback) {
  napi_value name = nullptr;
  if (napi_create_reference(env_, callback, 1, &callback_) != napi_ok ||
      napi_create_string_utf8(env_, "tripoll.watcher", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env_, nullptr, nullptr, name, 1, 1, this, OnFinalize, this,
                                      OnBatch, &function_) != napi_ok) {
    if (callback_ != nullptr) static_cast<void>(napi_delete_reference(env_, callback_));
    delete this;
    return -ENOMEM;
  }
  // Added after the thread-safe function, so it runs before that function's own end: the thread is
  // joined while what it calls still exists (T50).
  int error =
      napi_add_env_cleanup_hook(env_, OnTeardown, this) == napi_ok ? StartThread() : -ENOMEM;
  Unref();
  if (error < 0) static_cast<void>(Close());
  return error;
}

int WatcherDriver::StartThread() {
  // SAFETY: the thread is joined before this object, its poller or its batch goes (JoinThread).
  return thread_.Start(ThreadMain, this);
}

void WatcherDriver::ThreadMain(void* data) {
  auto* driver = static_cast<WatcherDriver*>(data);
  driver->Run();
  const std::lock_guard<std::mutex> lock(driver->mutex_);
  driver->ended_ = true;
  driver->changed_.notify_one();
}

void WatcherDriver::Run() {
  for (;;) {
    const WaitResult result = poller_->Wait(-1, records_);
    if (result.count == 0 && !result.woken) continue;
    // A poller that cannot wait would spin here: its error is delivered, once.
    if (!DeliverAndWait(result.count) || result.count < 0) return;
  }
}

bool WatcherDriver::DeliverAndWait(int count) {
  std::unique_lock<std::mutex> lock(mutex_);
  count_ = count;
  counts_ = std::exchange(CountsOfThread(), {});
  if (quit_) return false;
  consumed_ = false;
  if (napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) != napi_ok)
    return false;
  changed_.wait(lock, [this] { return consumed_ || quit_; });
  return !quit_;
}

void WatcherDriver::OnBatch(napi_env env, napi_value /*function*/, void* context, void* /*data*/) {
  auto* driver = static_cast<WatcherDriver*>(context);
  // No environment: it is going down. Closed: the batch belongs to nobody.
  if (env == nullptr || driver->entry_ == nullptr) return;
  if (!driver->DeliverOne(env)) return;
  if (driver->Hold(env)) return;
  const std::lock_guard<std::mutex> lock(driver->mutex_);
  driver->consumed_ = true;
  driver->changed_.notify_one();
}

// True when the thread is to wait again. It waits for `consumed_` now: nobody else looks at the
// count, or waits in the poller.
bool WatcherDriver::DeliverOne(napi_env env) {
  if (row_end_ns_ == 0) row_end_ns_ = NowNs() + kMaxRowNs;
  CountsOfThread().Add(std::exchange(counts_, {}));
  const int count = count_;
  count_ = 0;
  CallContained(env, nullptr, callback_, count);
  if (entry_ == nullptr) return false;  // closed in a handler
  // Failed, or the loop's turn: the thread meets the error, or what there is, again.
  if (count > 0 && NowNs() < row_end_ns_ && CallAgain(env)) return false;
  row_end_ns_ = 0;
  return true;
}

// The next batch of the row, by a call of its own: the promises that a batch settled run at the end
// of a call. False when there is none.
bool WatcherDriver::CallAgain(napi_env env) {
  const WaitResult next = poller_->Wait(0, records_);
  if (next.count < 0 || (next.count == 0 && !next.woken)) return false;
  count_ = next.count;
  // Its queue has room for one, and the one was taken out before it was delivered.
  if (napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) == napi_ok)
    return true;
  count_ = 0;
  CallContained(env, nullptr, callback_, next.count);
  return entry_ == nullptr;
}

// Node calls a thread-safe function again at once, a thousand times, if it was called meanwhile,
// and the promises that a batch settled run before that: a thread that was quick would keep the
// loop there for seconds (T47). So once in a while it is let go only when that loop has come round,
// which costs a setImmediate.
bool WatcherDriver::Hold(napi_env env) {
  const int64_t now_ns = NowNs();
  if (entry_ == nullptr || now_ns - last_hold_ns_ < kMaxRowNs) return false;
  last_hold_ns_ = now_ns;
  held_ = true;
  CallContained(env, nullptr, callback_, kHoldBatch);
  return held_;
}

void WatcherDriver::Release() {
  // Of a driver before this one: this one's batch may be on its way.
  if (!held_) return;
  held_ = false;
  const std::lock_guard<std::mutex> lock(mutex_);
  consumed_ = true;
  changed_.notify_one();
}

void WatcherDriver::JoinThread(PollerEntry* entry) {
  if (!thread_.running()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    quit_ = true;
    changed_.notify_one();
  }
  if (WakeToEnd()) {
    thread_.Join();
    CountsOfThread().Add(std::exchange(counts_, {}));
    return;
  }
  // SAFETY: the thread stays in its wait, and ends if it ever leaves it, for `quit_` is set: the
  // poller, its batch and this object stay allocated for it.
  abandoned_ = true;
  entry->abandoned = true;
}

bool WatcherDriver::EndsSoon() {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, kWakeTakes, [this] { return ended_; });
}

// False when nothing wakes the thread. The fd that wakes may have been closed behind us, or be a
// stranger's by now, which no result tells; the deadline has an fd of its own.
bool WatcherDriver::WakeToEnd() {
  for (int round = 0; round < kMaxWakeRounds; round++) {
    const int woken = poller_->Wake();
    if (EndsSoon()) return true;
    const int due = poller_->SetDeadline(0);
    if (EndsSoon()) return true;
    // Else the thread may be slow.
    if (woken < 0 && due < 0) break;
  }
  return false;
}

int WatcherDriver::Close() {
  if (entry_ == nullptr) return 0;
  PollerEntry* entry = entry_;
  entry->driver = nullptr;
  entry_ = nullptr;
  JoinThread(entry);
  static_cast<void>(napi_remove_env_cleanup_hook(env_, OnTeardown, this));
  // Its finalizer, which comes later from the loop, deletes this object.
  static_cast<void>(napi_release_threadsafe_function(function_, napi_tsfn_release));
  // What the thread has taken from the system is not told again under EDGE and ONESHOT.
  return count_ > 0 ? count_ : 0;
}

void WatcherDriver::OnTeardown(void* data) {
  auto* driver = static_cast<WatcherDriver*>(data);
  PollerEntry* entry = driver->entry_;
  if (entry != nullptr) entry->driver = nullptr;
  driver->entry_ = nullptr;
  driver->JoinThread(entry);
  // The runtime now ends the thread-safe function by itself, and with it this object.
}

void WatcherDriver::OnFinalize(napi_env env, void* data, void* /*hint*/) {
  auto* driver = static_cast<WatcherDriver*>(data);
  if (env != nullptr && driver->callback_ != nullptr) {
    static_cast<void>(napi_delete_reference(env, driver->callback_));
  }
  if (!driver->abandoned_) delete driver;
}

}  // namespace

int StartWatcherDriver(napi_env env, PollerEntry* entry, napi_value callback) {
  auto* driver = new WatcherDriver(env, entry);
  entry->driver = driver;
  const int error = driver->Start(callback);
  if (error < 0) entry->driver = nullptr;
  return error;
}

}  // namespace tripoll
