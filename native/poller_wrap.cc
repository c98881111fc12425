// Pollers and drivers for JavaScript. A poller is named by an index; an index that names none gives
// -EBADF, as a closed fd would.
#include "call_wrap.h"
#include "os_errno.h"
#include "waker_registry.h"

namespace tripoll {

namespace {

// A poller by its index.
struct Named {
  bool Read(Args* args, size_t at) {
    uint32_t index = 0;
    if (!args->Uint32(at, &index)) return false;
    const auto& pollers = args->environment()->pollers;
    if (index < pollers.size()) entry = pollers[index].get();
    return entry != nullptr || args->Refuse(-EBADF);
  }
  Poller* operator->() const { return entry->poller.get(); }

  PollerEntry* entry = nullptr;
};

// A poller's driver by the poller's index.
struct NamedDriver : Named {
  bool Read(Args* args, size_t at) {
    if (!Named::Read(args, at)) return false;
    driver = entry->driver;
    return driver != nullptr || args->Refuse(-EBADF);
  }

  Driver* driver = nullptr;
};

napi_value PollerOpen(napi_env env, Environment* environment, const std::string& backend) {
  auto entry = std::make_unique<PollerEntry>();
  int error = 0;
  entry->poller = OpenPoller(backend, &error);
  if (entry->poller == nullptr) return ToValue(env, error);
  entry->events = SharedBlock::Create(sizeof(EventRecord) * kEventBatchSize);
  if (entry->events == nullptr) return ToValue(env, -ENOMEM);
  entry->wake_id = RegisterWakeTarget(entry->poller.get());
  auto& pollers = environment->pollers;
  // An index is never given twice: a stale one must not name a stranger. It costs a pointer each.
  pollers.push_back(std::move(entry));
  return ToValue(env, static_cast<int32_t>(pollers.size() - 1));
}

int PollerClose(Environment* environment, uint32_t index) {
  auto& pollers = environment->pollers;
  if (index >= pollers.size() || pollers[index] == nullptr) return -EBADF;
  pollers[index].reset();
  return 0;
}

napi_value PollerEvents(napi_env env, Named poller) {
  return ToArrayBuffer(env, poller.entry->events);
}

int PollerSupports(Named poller, uint32_t mode) { return poller->Supports(mode) ? 1 : 0; }

struct RegistrationArgument : Registration {
  static constexpr size_t kArguments = 5;
  RegistrationArgument() : Registration() {}
  bool Read(const Args* args, size_t at) {
    return args->Int32(at, &fd) && args->Uint32(at + 1, &slot) &&
           args->Uint32(at + 2, &generation) && args->Uint32(at + 3, &interest) &&
           args->Uint32(at + 4, &mode);
  }
};

int PollerAdd(Named poller, const RegistrationArgument& what) { return poller->Add(what); }
int PollerModify(Named poller, const RegistrationArgument& what) { return poller->Modify(what); }
int PollerDelete(Named poller, int fd, uint32_t slot, uint32_t generation) {
  return poller->Delete(fd, slot, generation);
}

int PollerWait(Named poller, int64_t timeout_ns) {
  // A driver's thread may be the one that waits: two would write into one batch.
  if (poller.entry->driver != nullptr) return -EBUSY;
  return poller.entry->Wait(timeout_ns).count;
}

int PollerSpin(Named poller, int64_t spin_ns) {
  poller.entry->spin.ns = spin_ns;
  return 0;
}

// Exact in a double for longer than any process runs.
napi_value ToCount(napi_env env, uint64_t count) {
  napi_value result = nullptr;
  const auto number = static_cast<int64_t>(count);
  return napi_create_int64(env, number, &result) == napi_ok ? result : nullptr;
}

napi_value PollerLooks(napi_env env, Named poller) {
  return ToCount(env, poller.entry->spin.looks);
}
napi_value PollerSleeps(napi_env env, Named poller) {
  return ToCount(env, poller.entry->spin.sleeps);
}

// An fd for calls about the poller as a whole; -1 where it has none. It stays the poller's.
int PollerFd(Named poller) { return poller->NestableFd(); }

int PollerWake(Named poller) { return poller->Wake(); }
int PollerSetDeadline(Named poller, int64_t timeout_ns) { return poller->SetDeadline(timeout_ns); }

// Counted up from 1.
napi_value PollerWakeId(napi_env env, Named poller) { return ToCount(env, poller.entry->wake_id); }

int WakeById(int64_t id) { return id <= 0 ? -ENOENT : WakeTarget(static_cast<uint64_t>(id)); }

napi_value DriverStart(napi_env env, Named poller, const std::string& kind, napi_value callback) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, callback, &type) != napi_ok || type != napi_function) {
    return ThrowType(env, "expected a function");
  }
  if (poller.entry->driver != nullptr) return ToValue(env, -EBUSY);
  int error = -ENOTSUP;
  if (kind == "nested") error = StartNestedDriver(env, poller.entry, callback);
  if (kind == "inverted") error = StartInvertedDriver(env, poller.entry, callback);
  if (kind == "watcher") error = StartWatcherDriver(env, poller.entry, callback);
  return ToValue(env, error);
}

template <void (Driver::*kCall)()>
int CallDriver(NamedDriver of) {
  (of.driver->*kCall)();
  return 0;
}

int DriverClose(NamedDriver of) { return of.driver->Close(); }

// The reactor hands over what a handler threw and nobody caught: the runtime treats it as uncaught.
napi_value FatalException(napi_env env, napi_value error) {
  static_cast<void>(napi_fatal_exception(env, error));
  return nullptr;
}

const Export kExports[] = {
    {"pollerOpen", Call<PollerOpen>},
    {"pollerClose", Call<PollerClose>},
    {"pollerEvents", Call<PollerEvents>},
    {"pollerSupports", Call<PollerSupports>},
    {"pollerAdd", Call<PollerAdd>},
    {"pollerModify", Call<PollerModify>},
    {"pollerDelete", Call<PollerDelete>},
    {"pollerWait", Call<PollerWait>},
    {"pollerSpin", Call<PollerSpin>},
    {"pollerLooks", Call<PollerLooks>},
    {"pollerSleeps", Call<PollerSleeps>},
    {"pollerFd", Call<PollerFd>},
    {"pollerWake", Call<PollerWake>},
    {"pollerSetDeadline", Call<PollerSetDeadline>},
    {"pollerWakeId", Call<PollerWakeId>},
    {"wakeById", Call<WakeById>},
    {"driverStart", Call<DriverStart>},
    {"driverRef", Call<CallDriver<&Driver::Ref>>},
    {"driverUnref", Call<CallDriver<&Driver::Unref>>},
    {"driverClose", Call<DriverClose>},
    {"driverRelease", Call<CallDriver<&Driver::Release>>},
    {"fatalException", Call<FatalException>},
};

}  // namespace

void ExportPoller(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
