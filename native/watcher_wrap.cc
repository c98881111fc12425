// The watcher driver: a thread waits in the poller and brings each batch to JavaScript through a
// thread-safe function. It does not wait again before the batch has been consumed, because both use
// one batch memory. Whoever consumed a batch looks for the next one before it wakes the thread:
// under load that spares two context switches a batch.
#include <condition_variable>
#include <mutex>

#include "env_wrap.h"
#include "os_errno.h"
#include "os_thread.h"

namespace tripoll {

namespace {

// Records delivered in a row before the loop of the host has its turn: as many as one batch holds.
constexpr int kMostRecordsInARow = kEventBatchSize;

class WatcherDriver final : public Driver {
 public:
  WatcherDriver(napi_env env, PollerEntry* entry)
      : env_(env), entry_(entry), poller_(entry->poller.get()), records_(entry->records()) {}

  int Start(napi_value callback);
  void Ref() override { static_cast<void>(napi_ref_threadsafe_function(env_, function_)); }
  void Unref() override { static_cast<void>(napi_unref_threadsafe_function(env_, function_)); }
  int Close() override;

 private:
  ~WatcherDriver() override = default;

  int StartThread();
  void JoinThread();
  void Run();
  bool DeliverAndWait(int count);
  void DeliverInARow(napi_env env);
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
  bool consumed_ = true;
  int count_ = 0;  // records that wait for delivery, or the -errno of a wait
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

void WatcherDriver::ThreadMain(void* data) { static_cast<WatcherDriver*>(data)->Run(); }

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
  driver->DeliverInARow(env);
  const std::lock_guard<std::mutex> lock(driver->mutex_);
  driver->consumed_ = true;
  driver->changed_.notify_one();
}

// The thread waits for `consumed_`: nobody else looks at the count, or waits in the poller.
void WatcherDriver::DeliverInARow(napi_env env) {
  int delivered = 0;
  int count = count_;
  for (;;) {
    count_ = 0;
    CallContained(env, nullptr, callback_, count);
    delivered += count;
    // Closed in a handler, failed, or the loop's turn: the thread waits, and meets the error again.
    if (entry_ == nullptr || count <= 0 || delivered >= kMostRecordsInARow) return;
    const WaitResult next = poller_->Wait(0, records_);
    if (next.count <= 0 && !next.woken) return;
    count = next.count;
  }
}

void WatcherDriver::JoinThread() {
  if (!thread_.running()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    quit_ = true;
    changed_.notify_one();
  }
  // A wake cannot fail on an open poller but by EAGAIN, which the poller handles.
  static_cast<void>(poller_->Wake());
  thread_.Join();
}

int WatcherDriver::Close() {
  if (entry_ == nullptr) return 0;
  entry_->driver = nullptr;
  entry_ = nullptr;
  JoinThread();
  static_cast<void>(napi_remove_env_cleanup_hook(env_, OnTeardown, this));
  // Its finalizer, which comes later from the loop, deletes this object.
  static_cast<void>(napi_release_threadsafe_function(function_, napi_tsfn_release));
  // What the thread has taken from the system is not told again under EDGE and ONESHOT.
  return count_ > 0 ? count_ : 0;
}

void WatcherDriver::OnTeardown(void* data) {
  auto* driver = static_cast<WatcherDriver*>(data);
  if (driver->entry_ != nullptr) driver->entry_->driver = nullptr;
  driver->entry_ = nullptr;
  driver->JoinThread();
  // The runtime now ends the thread-safe function by itself, and with it this object.
}

void WatcherDriver::OnFinalize(napi_env env, void* data, void* /*hint*/) {
  auto* driver = static_cast<WatcherDriver*>(data);
  if (env != nullptr && driver->callback_ != nullptr) {
    static_cast<void>(napi_delete_reference(env, driver->callback_));
  }
  delete driver;
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
