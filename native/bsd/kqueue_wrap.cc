// kqueue as it is, for raw.Kqueue: the two lists are bytes in the layout of this system's struct
// kevent, which is exported with the constants of its header.
#include <cerrno>
#include <cstddef>
#include <utility>

#include "bsd/kqueue_calls.h"
#include "bsd/kqueue_constants.h"
#include "env_wrap.h"

namespace tripoll {

namespace {

constexpr size_t kKeventBytes = sizeof(struct kevent);
// As many as a poller takes at once: a bound for what one call may write.
constexpr size_t kMostKevents = kEventBatchSize;

#define TRIPOLL_FIELD(field)                                               \
  {#field "Offset", offsetof(struct kevent, field)}, {                     \
#field "Bytes", sizeof(decltype(std::declval <struct kevent>().field)) \
  }
const Constant kLayout[] = {
    {"bytes", kKeventBytes}, {"most", kMostKevents}, TRIPOLL_FIELD(ident), TRIPOLL_FIELD(filter),
    TRIPOLL_FIELD(flags),    TRIPOLL_FIELD(fflags),  TRIPOLL_FIELD(data),  TRIPOLL_FIELD(udata),
};
#undef TRIPOLL_FIELD

napi_value RawKqueue(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const int fd = os::Kqueue();
  if (fd >= 0) args.environment()->fds.Insert(fd);
  return ToValue(env, fd);
}

// A list of whole, aligned kevents.
bool ReadList(const Args& args, size_t index, struct kevent** list, int* count) {
  uint8_t* data = nullptr;
  size_t bytes = 0;
  if (!args.WholeBytes(index, &data, &bytes)) return false;
  const bool aligned = reinterpret_cast<uintptr_t>(data) % alignof(struct kevent) == 0;
  if (bytes % kKeventBytes != 0 || bytes / kKeventBytes > kMostKevents || (bytes > 0 && !aligned)) {
    ThrowRange(args.env(), "expected whole kevents, aligned, at most 1024");
    return false;
  }
  // SAFETY: this thread's JavaScript stands still until the call is over, so the memory stays.
  *list = reinterpret_cast<struct kevent*>(data);
  *count = static_cast<int>(bytes / kKeventBytes);
  return true;
}

napi_value RawKevent(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t kqueue_fd = 0;
  int64_t timeout_ns = 0;
  struct kevent* changes = nullptr;
  struct kevent* events = nullptr;
  int change_count = 0;
  int event_count = 0;
  if (!args.Int32(0, &kqueue_fd) || !ReadList(args, 1, &changes, &change_count) ||
      !ReadList(args, 2, &events, &event_count) || !args.Int53(3, &timeout_ns)) {
    return nullptr;
  }
  return ToValue(env,
                 os::Kevent(kqueue_fd, changes, change_count, events, event_count, timeout_ns));
}

const Export kExports[] = {{"kqueue", RawKqueue}, {"kevent", RawKevent}};

void ExportTable(napi_env env, napi_value exports, const char* name, const Constant* list,
                 size_t count) {
  napi_value table = nullptr;
  if (napi_create_object(env, &table) != napi_ok) return;
  for (size_t i = 0; i < count; i++) {
    if (!SetNumber(env, table, list[i].name, static_cast<double>(list[i].value))) return;
  }
  // What fails here leaves an exception pending, which fails the load.
  static_cast<void>(napi_set_named_property(env, exports, name, table));
}

}  // namespace

void ExportSystem(napi_env env, napi_value exports) {
  ExportMessages(env, exports);
  ExportStreams(env, exports);
  ExportTerminal(env, exports);
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
  ExportTable(env, exports, "keventLayout", kLayout, sizeof kLayout / sizeof kLayout[0]);
  ExportTable(env, exports, "kqueueConstants", kKqueueConstants, kKqueueConstantCount);
}

}  // namespace tripoll
