// epoll as it is, for raw.Epoll: each call is its syscall. An event is three u32 in the caller's
// array: events, and the low and high half of the data.
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "env_wrap.h"
#include "linux/newer.h"
#include "os_calls.h"
#include "unix/readiness.h"

namespace tripoll {

namespace {

constexpr size_t kWordsPerEvent = 3;

napi_value RawEpollCreate1(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t flags = 0;
  if (!args.Flags(0, &flags)) return nullptr;
  const int fd = os::EpollCreate1(flags);
  if (fd >= 0) args.environment()->fds.Insert(fd);
  return ToValue(env, fd);
}

napi_value RawEpollCtl(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t epoll_fd = 0;
  int32_t operation = 0;
  int32_t fd = 0;
  uint32_t low = 0;
  uint32_t high = 0;
  epoll_event event{};
  uint32_t events = 0;
  if (!args.Int32(0, &epoll_fd) || !args.Int32(1, &operation) || !args.Int32(2, &fd) ||
      !args.Flags(3, &events) || !args.Uint32(4, &low) || !args.Uint32(5, &high)) {
    return nullptr;
  }
  event.events = events;
  event.data.u64 = (static_cast<uint64_t>(high) << 32) | low;
  return ToValue(env, os::EpollCtl(epoll_fd, operation, fd, &event));
}

int WaitOnce(int epoll_fd, epoll_event* events, int capacity, int64_t timeout_ns) {
  if (timeout_ns <= 0) return os::EpollWait(epoll_fd, events, capacity, timeout_ns < 0 ? -1 : 0);
  const int count = os::EpollPwait2(epoll_fd, events, capacity, timeout_ns);
  if (count != -ENOSYS && count != -EPERM) return count;  // T18
  return os::EpollWait(epoll_fd, events, capacity, ToTimeoutMs(timeout_ns));
}

napi_value RawEpollPwait2(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t epoll_fd = 0;
  int64_t timeout_ns = 0;
  napi_typedarray_type type{};
  size_t words = 0;
  void* memory = nullptr;
  if (!args.Int32(0, &epoll_fd)) return nullptr;
  if (napi_get_typedarray_info(env, args[1], &type, &words, &memory, nullptr, nullptr) != napi_ok ||
      type != napi_uint32_array) {
    return ThrowType(env, "expected a Uint32Array");
  }
  if (!args.Int53(2, &timeout_ns)) return nullptr;
  epoll_event events[kEventBatchSize];
  const auto capacity = static_cast<int>(std::min<size_t>(words / kWordsPerEvent, kEventBatchSize));
  const int count = WaitOnce(epoll_fd, events, capacity, timeout_ns);
  // SAFETY: this thread's JavaScript stands still in this call, so the array that it looked up is
  // intact.
  auto* out = static_cast<uint32_t*>(memory);
  for (int i = 0; i < count; i++) {
    *out++ = events[i].events;
    *out++ = static_cast<uint32_t>(events[i].data.u64);
    *out++ = static_cast<uint32_t>(events[i].data.u64 >> 32);
  }
  return ToValue(env, count);
}

napi_value RawEpollSetParams(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t epoll_fd = 0;
  uint32_t usecs = 0;
  uint32_t budget = 0;
  uint32_t prefer = 0;
  if (!args.Int32(0, &epoll_fd) || !args.Uint32(1, &usecs) || !args.Uint32(2, &budget) ||
      !args.Uint32(3, &prefer)) {
    return nullptr;
  }
  if (budget > UINT16_MAX || prefer > 1) return ThrowRange(env, "busy-poll parameter out of range");
  epoll_params params{};
  params.busy_poll_usecs = usecs;
  params.busy_poll_budget = static_cast<uint16_t>(budget);
  params.prefer_busy_poll = static_cast<uint8_t>(prefer);
  return ToValue(env, os::Ioctl(epoll_fd, EPIOCSPARAMS, &params));
}

// Fills the caller's array: usecs, budget, prefer.
napi_value RawEpollGetParams(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t epoll_fd = 0;
  if (!args.Int32(0, &epoll_fd)) return nullptr;
  epoll_params params{};
  const int error = os::Ioctl(epoll_fd, EPIOCGPARAMS, &params);
  if (error < 0) return ToValue(env, error);
  const int32_t values[] = {static_cast<int32_t>(params.busy_poll_usecs), params.busy_poll_budget,
                            params.prefer_busy_poll};
  for (uint32_t i = 0; i < 3; i++) {
    if (napi_set_element(env, args[1], i, ToValue(env, values[i])) != napi_ok) {
      return ThrowType(env, "expected an array to fill");
    }
  }
  return ToValue(env, 0);
}

const Export kExports[] = {
    {"epollCreate1", RawEpollCreate1},     {"epollCtl", RawEpollCtl},
    {"epollPwait2", RawEpollPwait2},       {"epollSetParams", RawEpollSetParams},
    {"epollGetParams", RawEpollGetParams},
};

}  // namespace

void ExportSystem(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
  ExportMessages(env, exports);
  ExportStreams(env, exports);
  ExportTerminal(env, exports);
  ExportTransfer(env, exports);
  ExportSources(env, exports);
}

}  // namespace tripoll
