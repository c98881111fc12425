// The Node-API side's common ground: the state of one environment (a main thread or a worker), and
// the reading of arguments. Only addon.cc and the *_wrap files include it.
#ifndef TRIPOLL_ENV_WRAP_H_
#define TRIPOLL_ENV_WRAP_H_

#include <node_api.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "constants.h"
#include "owned_fds.h"
#include "poller.h"
#include "shared_block.h"
#include "span.h"
#include "spin_wait.h"
#include "syscall_counts.h"

namespace tripoll {

// What carries events from a poller into JavaScript without being asked: the nested, the inverted
// and the watcher driver. Ref and Unref say whether it keeps the process alive. Close ends it; it
// frees itself when nothing of the runtime points at it any more, which may be later.
class Driver {
 public:
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  virtual ~Driver() = default;
  virtual void Ref() = 0;
  virtual void Unref() = 0;
  // Lets a driver go on that has asked for it (kHoldBatch).
  virtual void Release() {}
  // Returns how many records it had taken and not delivered: they are still in the batch.
  virtual int Close() = 0;
};

// Instead of a count of records: the driver brings no more before JavaScript has called
// driverRelease, from a later phase of the host's loop.
constexpr int kHoldBatch = INT32_MIN;

// A poller and what belongs to it. JavaScript names it by its index in Environment::pollers, so
// that no value it can pass makes a pointer.
struct PollerEntry {
  std::unique_ptr<Poller> poller;
  SharedBlock* events = nullptr;
  uint64_t wake_id = 0;
  Spin spin;                 // of the thread that owns the poller, under run()
  Driver* driver = nullptr;  // sets itself to null when it ends
  bool abandoned = false;    // a thread that nothing wakes still points at poller and events

  ~PollerEntry();
  WaitResult Wait(int64_t timeout_ns) {
    return WaitSpinning(poller.get(), &spin, timeout_ns, records());
  }
  EventRecord* records() const { return reinterpret_cast<EventRecord*>(events->data()); }
};

struct Environment {
  SyscallCounts counts;  // of what is too frequent to look for the thread's: CountsOfThread
  OwnedFds fds;
  std::vector<std::unique_ptr<PollerEntry>> pollers;
  SharedBlock* arena = nullptr;  // what RecvArena reads into
  std::shared_ptr<void> raw;     // what this system's raw classes keep; it ends before the fds do
  bool is_ending = false;  // JavaScript was ended in a call of ours, which it has not finished

  ~Environment();
};

// Reads a call's arguments strictly: what is not the right type throws a TypeError, what is out of
// range a RangeError, both with the library's code (T54). After a false the caller returns at once.
class Args {
 public:
  static constexpr size_t kMost = 8;

  // A hot call says how many arguments it reads; the others are not touched then.
  Args(napi_env env, napi_callback_info info, size_t count = kMost) : env_(env) {
    // Cannot fail with these arguments; missing values come back as undefined.
    if (napi_get_cb_info(env, info, &count, values_, nullptr, &data_) != napi_ok) {
      napi_fatal_error("tripoll", NAPI_AUTO_LENGTH, "napi_get_cb_info failed", NAPI_AUTO_LENGTH);
    }
  }

  bool Int32(size_t index, int32_t* value) const {
    double number = 0;
    if (!Number(index, INT32_MIN, INT32_MAX, &number)) return false;
    *value = static_cast<int32_t>(number);
    return true;
  }
  bool Uint32(size_t index, uint32_t* value) const {
    double number = 0;
    if (!Number(index, 0, UINT32_MAX, &number)) return false;
    *value = static_cast<uint32_t>(number);
    return true;
  }
  // A word of 32 flags, signed or not: JavaScript's `|` makes bit 31 a sign.
  bool Flags(size_t index, uint32_t* value) const {
    double number = 0;
    if (!Number(index, INT32_MIN, UINT32_MAX, &number)) return false;
    *value = static_cast<uint32_t>(static_cast<int64_t>(number));
    return true;
  }
  bool Flags(size_t index, int32_t* value) const {
    uint32_t word = 0;
    if (!Flags(index, &word)) return false;
    *value = static_cast<int32_t>(word);
    return true;
  }
  // A whole number that a double holds exactly.
  bool Int53(size_t index, int64_t* value) const;
  bool Text(size_t index, std::string* value) const;
  // buffer (a Uint8Array), offset, length at index, index + 1, index + 2; looked up at every call,
  // because the array may have been detached or resized since the last one (T07).
  bool Bytes(size_t index, Span* part) const;
  bool WholeBytes(size_t index, Span* bytes) const;

  // For what is of the right type and all the same nothing that the call could use: JavaScript gets
  // the -errno instead of an exception.
  bool Refuse(int error) {
    refusal_ = error;
    return false;
  }
  // What the caller returns after a false.
  napi_value refusal() const;

  napi_value operator[](size_t index) const { return values_[index]; }
  napi_env env() const { return env_; }
  Environment* environment() const { return static_cast<Environment*>(data_); }

 private:
  bool Number(size_t index, double low, double high, double* value) const {
    if (napi_get_value_double(env_, values_[index], value) != napi_ok) return RefuseType();
    // The comparison also refuses NaN.
    return (*value >= low && *value <= high && *value == std::trunc(*value)) || RefuseRange();
  }
  bool RefuseType() const;
  bool RefuseRange() const;

  napi_env env_;
  napi_value values_[kMost];
  void* data_ = nullptr;
  int refusal_ = 0;
};

napi_value ToValue(napi_env env, int32_t value);
// False when it was refused, or when JavaScript cannot run any more because its thread is being
// terminated.
bool SetNumber(napi_env env, napi_value object, const char* name, double value);
bool SetText(napi_env env, napi_value object, const char* name, const std::string& value);
// Does nothing when an exception is pending already.
napi_value ThrowType(napi_env env, const char* message);
napi_value ThrowRange(napi_env env, const char* message);

// A view of the block for JavaScript, which then holds a reference of its own.
napi_value ToArrayBuffer(napi_env env, SharedBlock* block);

// Calls what JavaScript gave a driver. An exception that reaches us is handed to the runtime as
// uncaught and never left pending, where it would stop every later call (T55).
void CallContained(napi_env env, napi_async_context context, napi_ref callback, int32_t argument);

// How long a driver delivers batches in a row before the host's loop has its turn, looked at after
// each batch: so long that a turn of that loop (1 to 2 us) costs nothing beside it, and so short
// that nobody there notices. Not a number of records: one may be 16 reads of 64 KB, with promises
// after it (T47).
constexpr int64_t kMaxRowNs = 2'000'000;

// An object of a table of constants; null when it could not be made.
napi_value ToObject(napi_env env, const Constant* list, size_t count);

struct Export {
  const char* name;
  napi_callback callback;
};
void ExportAll(napi_env env, napi_value exports, const Export* list, size_t count);
template <size_t kCount>
void ExportAll(napi_env env, napi_value exports, const Export (&list)[kCount]) {
  ExportAll(env, exports, list, kCount);
}

// Each *_wrap file's contribution; ExportSystem calls those that not every system has.
void ExportSys(napi_env env, napi_value exports);
void ExportDetached(napi_env env, napi_value exports);
void ExportPoller(napi_env env, napi_value exports);
void ExportAddresses(napi_env env, napi_value exports);
void ExportSystem(napi_env env, napi_value exports);
void ExportMessages(napi_env env, napi_value exports);
void ExportUdp(napi_env env, napi_value exports);
void ExportStreams(napi_env env, napi_value exports);
void ExportTerminal(napi_env env, napi_value exports);
void ExportTransfer(napi_env env, napi_value exports);
void ExportSources(napi_env env, napi_value exports);

// Start a driver for the entry. Return 0, a negative errno, or -ENOTSUP where the runtime cannot.
int StartNestedDriver(napi_env env, PollerEntry* entry, napi_value callback);
int StartInvertedDriver(napi_env env, PollerEntry* entry, napi_value callback);
int StartWatcherDriver(napi_env env, PollerEntry* entry, napi_value callback);

}  // namespace tripoll

#endif  // TRIPOLL_ENV_WRAP_H_
