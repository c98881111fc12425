// Pollers and drivers for JavaScript. A poller is named by an index; an index that names none gives
// -EBADF, as a closed fd would.
#include "env_wrap.h"
#include "os_errno.h"
#include "waker_registry.h"

namespace tripoll {

namespace {

PollerEntry* FindEntry(const Args& args) {
  uint32_t index = 0;
  if (!args.Uint32(0, &index)) return nullptr;
  auto& pollers = args.environment()->pollers;
  return index < pollers.size() ? pollers[index].get() : nullptr;
}

// nullptr (and the exception that is pending) or -EBADF, for a call whose poller was not found.
napi_value NoEntry(napi_env env) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) != napi_ok || pending) return nullptr;
  return ToValue(env, -EBADF);
}

napi_value PollerOpen(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  std::string backend;
  if (!args.Text(0, &backend)) return nullptr;
  auto entry = std::make_unique<PollerEntry>();
  int error = 0;
  entry->poller = OpenPoller(backend, &error);
  if (entry->poller == nullptr) return ToValue(env, error);
  entry->events = SharedBlock::Create(sizeof(EventRecord) * kEventBatchSize);
  if (entry->events == nullptr) return ToValue(env, -ENOMEM);
  entry->wake_id = RegisterWakeTarget(entry->poller.get());
  auto& pollers = args.environment()->pollers;
  // An index is never given twice: a stale one must not name a stranger. It costs a pointer each.
  pollers.push_back(std::move(entry));
  return ToValue(env, static_cast<int32_t>(pollers.size() - 1));
}

napi_value PollerClose(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  uint32_t index = 0;
  if (!args.Uint32(0, &index)) return nullptr;
  auto& pollers = args.environment()->pollers;
  if (index >= pollers.size() || pollers[index] == nullptr) return ToValue(env, -EBADF);
  pollers[index].reset();
  return ToValue(env, 0);
}

napi_value PollerEvents(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  return entry == nullptr ? NoEntry(env) : ToArrayBuffer(env, entry->events);
}

napi_value PollerSupports(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  if (entry == nullptr) return NoEntry(env);
  uint32_t mode = 0;
  if (!args.Uint32(1, &mode)) return nullptr;
  return ToValue(env, entry->poller->Supports(mode) ? 1 : 0);
}

bool ReadRegistration(const Args& args, Registration* r) {
  return args.Int32(1, &r->fd) && args.Uint32(2, &r->slot) && args.Uint32(3, &r->generation) &&
         args.Uint32(4, &r->interest) && args.Uint32(5, &r->mode);
}

using Change = int (Poller::*)(const Registration&);

napi_value ApplyChange(napi_env env, napi_callback_info info, Change change) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  if (entry == nullptr) return NoEntry(env);
  Registration registration{};
  if (!ReadRegistration(args, &registration)) return nullptr;
  return ToValue(env, (entry->poller.get()->*change)(registration));
}

napi_value PollerAdd(napi_env env, napi_callback_info info) {
  return ApplyChange(env, info, &Poller::Add);
}
napi_value PollerModify(napi_env env, napi_callback_info info) {
  return ApplyChange(env, info, &Poller::Modify);
}

napi_value PollerDelete(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  if (entry == nullptr) return NoEntry(env);
  int32_t fd = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
  if (!args.Int32(1, &fd) || !args.Uint32(2, &slot) || !args.Uint32(3, &generation)) return nullptr;
  return ToValue(env, entry->poller->Delete(fd, slot, generation));
}

napi_value PollerWait(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  if (entry == nullptr) return NoEntry(env);
  int64_t timeout_ns = 0;
  if (!args.Int53(1, &timeout_ns)) return nullptr;
  // A driver's thread may be the one that waits: two would write into one batch.
  if (entry->driver != nullptr) return ToValue(env, -EBUSY);
  return ToValue(env, entry->poller->Wait(timeout_ns, entry->records()).count);
}

napi_value PollerWake(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  return entry == nullptr ? NoEntry(env) : ToValue(env, entry->poller->Wake());
}

napi_value PollerSetDeadline(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  if (entry == nullptr) return NoEntry(env);
  int64_t timeout_ns = 0;
  if (!args.Int53(1, &timeout_ns)) return nullptr;
  return ToValue(env, entry->poller->SetDeadline(timeout_ns));
}

napi_value PollerWakeId(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  if (entry == nullptr) return NoEntry(env);
  napi_value result = nullptr;
  // Counted up from 1: exact in a double for longer than any process runs.
  return napi_create_int64(env, static_cast<int64_t>(entry->wake_id), &result) == napi_ok ? result
                                                                                          : nullptr;
}

napi_value WakeById(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int64_t id = 0;
  if (!args.Int53(0, &id)) return nullptr;
  return ToValue(env, id <= 0 ? -ENOENT : WakeTarget(static_cast<uint64_t>(id)));
}

napi_value DriverStart(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  PollerEntry* entry = FindEntry(args);
  if (entry == nullptr) return NoEntry(env);
  std::string kind;
  if (!args.Text(1, &kind)) return nullptr;
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, args[2], &type) != napi_ok || type != napi_function) {
    return ThrowType(env, "expected a function");
  }
  if (entry->driver != nullptr) return ToValue(env, -EBUSY);
  if (kind == "nested") return ToValue(env, StartNestedDriver(env, entry, args[2]));
  if (kind == "inverted") return ToValue(env, StartInvertedDriver(env, entry, args[2]));
  if (kind == "watcher") return ToValue(env, StartWatcherDriver(env, entry, args[2]));
  return ToValue(env, -ENOTSUP);
}

using DriverCall = void (Driver::*)();

napi_value CallDriver(napi_env env, napi_callback_info info, DriverCall call) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  if (entry == nullptr || entry->driver == nullptr) return NoEntry(env);
  (entry->driver->*call)();
  return ToValue(env, 0);
}

napi_value DriverRef(napi_env env, napi_callback_info info) {
  return CallDriver(env, info, &Driver::Ref);
}
napi_value DriverUnref(napi_env env, napi_callback_info info) {
  return CallDriver(env, info, &Driver::Unref);
}
napi_value DriverRelease(napi_env env, napi_callback_info info) {
  return CallDriver(env, info, &Driver::Release);
}
napi_value DriverClose(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const PollerEntry* entry = FindEntry(args);
  return entry == nullptr || entry->driver == nullptr ? NoEntry(env)
                                                      : ToValue(env, entry->driver->Close());
}

// The reactor hands over what a handler threw and nobody caught: the runtime treats it as uncaught.
napi_value FatalException(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  static_cast<void>(napi_fatal_exception(env, args[0]));
  return nullptr;
}

const Export kExports[] = {
    {"pollerOpen", PollerOpen},       {"pollerClose", PollerClose},
    {"pollerEvents", PollerEvents},   {"pollerSupports", PollerSupports},
    {"pollerAdd", PollerAdd},         {"pollerModify", PollerModify},
    {"pollerDelete", PollerDelete},   {"pollerWait", PollerWait},
    {"pollerWake", PollerWake},       {"pollerSetDeadline", PollerSetDeadline},
    {"pollerWakeId", PollerWakeId},   {"wakeById", WakeById},
    {"driverStart", DriverStart},     {"driverRef", DriverRef},
    {"driverUnref", DriverUnref},     {"driverClose", DriverClose},
    {"driverRelease", DriverRelease}, {"fatalException", FatalException},
};

}  // namespace

void ExportPoller(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
}

}  // namespace tripoll
