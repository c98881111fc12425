// kqueue as it is, for raw.Kqueue: the two lists are bytes in the layout of this system's struct
// kevent, which is exported with the constants of its header.
#include <cerrno>
#include <cstddef>
#include <utility>

#include "bsd/kqueue_calls.h"
#include "bsd/kqueue_constants.h"
#include "call_wrap.h"

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

// A list of whole, aligned kevents.
struct KeventsArgument {
  bool Read(const Args* args, size_t at) {
    Span memory;
    if (!args->WholeBytes(at, &memory)) return false;
    const bool aligned = reinterpret_cast<uintptr_t>(memory.data) % alignof(struct kevent) == 0;
    if (memory.length % kKeventBytes != 0 || memory.length / kKeventBytes > kMostKevents ||
        (memory.length > 0 && !aligned)) {
      ThrowRange(args->env(), "expected whole kevents, aligned, at most 1024");
      return false;
    }
    // SAFETY: this thread's JavaScript stands still until the call is over, so the memory stays.
    list = reinterpret_cast<struct kevent*>(memory.data);
    count = static_cast<int>(memory.length / kKeventBytes);
    return true;
  }

  struct kevent* list = nullptr;
  int count = 0;
};

int Kevent(int kqueue_fd, KeventsArgument changes, KeventsArgument events, int64_t timeout_ns) {
  return os::Kevent(kqueue_fd, changes.list, changes.count, events.list, events.count, timeout_ns);
}

const Export kExports[] = {{"kqueue", Open<os::Kqueue>}, {"kevent", Call<Kevent>}};

void ExportTable(napi_env env, napi_value exports, const char* name, napi_value table) {
  // What fails here, or has failed, leaves an exception pending, which fails the load.
  if (table != nullptr) static_cast<void>(napi_set_named_property(env, exports, name, table));
}

}  // namespace

void ExportSystem(napi_env env, napi_value exports) {
  ExportMessages(env, exports);
  ExportStreams(env, exports);
  ExportTerminal(env, exports);
  ExportAll(env, exports, kExports);
  ExportTable(env, exports, "keventLayout",
              ToObject(env, kLayout, sizeof kLayout / sizeof kLayout[0]));
  ExportTable(env, exports, "kqueueConstants",
              ToObject(env, kKqueueConstants, kKqueueConstantCount));
}

}  // namespace tripoll
