// epoll as it is, for raw.Epoll: each call is its syscall. An event is three u32 in the caller's
// array: events, and the low and high half of the data.
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "call_wrap.h"
#include "linux/newer.h"
#include "os_calls.h"
#include "unix/readiness.h"

namespace tripoll {

namespace {

constexpr size_t kWordsPerEvent = 3;

int EpollCtl(int epoll_fd, int operation, int fd, Flags events, uint32_t low, uint32_t high) {
  epoll_event event{};
  event.events = events.word;
  event.data.u64 = (static_cast<uint64_t>(high) << 32) | low;
  return os::EpollCtl(epoll_fd, operation, fd, &event);
}

int WaitOnce(int epoll_fd, epoll_event* events, int capacity, int64_t timeout_ns) {
  if (timeout_ns <= 0) return os::EpollWait(epoll_fd, events, capacity, timeout_ns < 0 ? -1 : 0);
  const int count = os::EpollPwait2(epoll_fd, events, capacity, timeout_ns);
  if (count != -ENOSYS && count != -EPERM) return count;  // T18
  return os::EpollWait(epoll_fd, events, capacity, ToTimeoutMs(timeout_ns));
}

// The caller's array of events.
struct EventsArgument {
  bool Read(const Args* args, size_t at) {
    napi_typedarray_type type{};
    void* memory = nullptr;
    if (napi_get_typedarray_info(args->env(), (*args)[at], &type, &count, &memory, nullptr,
                                 nullptr) != napi_ok ||
        type != napi_uint32_array) {
      ThrowType(args->env(), "expected a Uint32Array");
      return false;
    }
    words = static_cast<uint32_t*>(memory);
    return true;
  }

  uint32_t* words = nullptr;
  size_t count = 0;
};

int EpollPwait2(int epoll_fd, EventsArgument out, int64_t timeout_ns) {
  epoll_event events[kEventBatchSize];
  const size_t room = std::min<size_t>(out.count / kWordsPerEvent, kEventBatchSize);
  const int count = WaitOnce(epoll_fd, events, static_cast<int>(room), timeout_ns);
  // SAFETY: this thread's JavaScript stands still in this call, so the array that it looked up is
  // intact.
  for (int i = 0; i < count; i++) {
    *out.words++ = events[i].events;
    *out.words++ = static_cast<uint32_t>(events[i].data.u64);
    *out.words++ = static_cast<uint32_t>(events[i].data.u64 >> 32);
  }
  return count;
}

napi_value EpollSetParams(napi_env env, int epoll_fd, uint32_t usecs, uint32_t budget,
                          uint32_t prefer) {
  if (budget > UINT16_MAX || prefer > 1) return ThrowRange(env, "busy-poll parameter out of range");
  epoll_params params{};
  params.busy_poll_usecs = usecs;
  params.busy_poll_budget = static_cast<uint16_t>(budget);
  params.prefer_busy_poll = static_cast<uint8_t>(prefer);
  return ToValue(env, os::Ioctl(epoll_fd, EPIOCSPARAMS, &params));
}

// Fills the caller's array: usecs, budget, prefer.
napi_value EpollGetParams(napi_env env, int epoll_fd, napi_value out) {
  epoll_params params{};
  const int error = os::Ioctl(epoll_fd, EPIOCGPARAMS, &params);
  if (error < 0) return ToValue(env, error);
  const int32_t values[] = {static_cast<int32_t>(params.busy_poll_usecs), params.busy_poll_budget,
                            params.prefer_busy_poll};
  for (uint32_t i = 0; i < 3; i++) {
    if (napi_set_element(env, out, i, ToValue(env, values[i])) != napi_ok) {
      return ThrowType(env, "expected an array to fill");
    }
  }
  return ToValue(env, 0);
}

const Export kExports[] = {
    {"epollCreate1", Open<os::EpollCreate1, Flags>},
    {"epollCtl", Call<EpollCtl>},
    {"epollPwait2", Call<EpollPwait2>},
    {"epollSetParams", Call<EpollSetParams>},
    {"epollGetParams", Call<EpollGetParams>},
};

}  // namespace

void ExportSystem(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports);
  ExportMessages(env, exports);
  ExportStreams(env, exports);
  ExportTerminal(env, exports);
  ExportTransfer(env, exports);
  ExportSources(env, exports);
}

}  // namespace tripoll
