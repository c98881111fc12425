// Fds that only Linux has, for JavaScript: eventfd, timerfd, pidfd, inotify, TUN. Each call is its
// syscall, but for what a struct needs.
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "env_wrap.h"
#include "os_calls.h"

namespace tripoll {

namespace {

// P_PIDFD: Linux 5.4, include/uapi/linux/wait.h; glibc has the name since 2.36.
constexpr int kPidfdIdType = 3;

int Own(const Args& args, int fd) {
  if (fd >= 0) args.environment()->fds.Insert(fd);
  return fd;
}

// Two integers in, an fd out.
napi_value Open(napi_env env, napi_callback_info info, int (*call)(int first, int second)) {
  const Args args(env, info);
  int32_t first = 0;
  int32_t second = 0;
  if (!args.Int32(0, &first) || !args.Int32(1, &second)) return nullptr;
  return ToValue(env, Own(args, call(first, second)));
}

napi_value EventfdCreate(napi_env env, napi_callback_info info) {
  return Open(env, info, [](int initial, int flags) {
    return os::Eventfd(static_cast<unsigned>(initial), flags);
  });
}
napi_value TimerfdCreateOn(napi_env env, napi_callback_info info) {
  return Open(env, info, os::TimerfdCreateOn);
}
napi_value PidfdOpen(napi_env env, napi_callback_info info) {
  return Open(env, info, os::PidfdOpen);
}
napi_value InotifyInit(napi_env env, napi_callback_info info) {
  return Open(env, info, [](int flags, int /*unused*/) { return os::InotifyInit1(flags); });
}

// (fd, flags, first expiry in ns, period in ns)
napi_value TimerfdSet(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t flags = 0;
  int64_t value_ns = 0;
  int64_t period_ns = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &flags) || !args.Int53(2, &value_ns) ||
      !args.Int53(3, &period_ns)) {
    return nullptr;
  }
  return ToValue(env, os::TimerfdSet(fd, flags, value_ns, period_ns));
}

napi_value PidfdSendSignal(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t signal = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &signal)) return nullptr;
  return ToValue(env, os::PidfdSendSignal(fd, signal));
}

// Reaps the child behind a pidfd: fills out with its pid, CLD_* and status as words. Returns 0,
// -EAGAIN while it runs, or -ECHILD when it is no child of ours, or no longer.
napi_value PidfdReap(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint8_t* out = nullptr;
  size_t length = 0;
  int32_t words[3] = {0, 0, 0};
  if (!args.Int32(0, &fd) || !args.WholeBytes(1, &out, &length)) return nullptr;
  if (length < sizeof words) return ToValue(env, -EINVAL);
  siginfo_t status{};
  const int error = os::Waitid(kPidfdIdType, static_cast<unsigned>(fd), &status, WEXITED | WNOHANG);
  if (error < 0) return ToValue(env, error);
  if (status.si_pid == 0) return ToValue(env, -EAGAIN);
  words[0] = status.si_pid;
  words[1] = status.si_code;
  words[2] = status.si_status;
  std::memcpy(out, words, sizeof words);
  return ToValue(env, 0);
}

// (fd, path in bytes, mask): the watch's number.
napi_value InotifyAdd(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint8_t* path = nullptr;
  size_t length = 0;
  uint32_t mask = 0;
  if (!args.Int32(0, &fd) || !args.WholeBytes(1, &path, &length) || !args.Flags(2, &mask))
    return nullptr;
  // A copy ends with the NUL that the call needs, and one within it would hide the rest.
  const std::string text(reinterpret_cast<const char*>(path), length);
  if (text.find('\0') != std::string::npos) return ToValue(env, -EINVAL);
  return ToValue(env, os::InotifyAddWatch(fd, text.c_str(), mask));
}

napi_value InotifyRemove(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t watch = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &watch)) return nullptr;
  return ToValue(env, os::InotifyRmWatch(fd, watch));
}

// Argument 1 as an interface's name; false when it throws.
bool ReadInterface(const Args& args, ifreq* request, int* error) {
  std::string name;
  if (!args.Text(1, &name)) return false;
  *error = name.size() < sizeof request->ifr_name ? 0 : -ENAMETOOLONG;
  if (*error == 0) std::memcpy(request->ifr_name, name.data(), name.size());
  return true;
}

// (fd of /dev/net/tun, name or '' or 'tun%d', IFF_* flags, out): the length of the name that the
// interface has, which is in out.
napi_value TunSetInterface(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t flags = 0;
  uint8_t* out = nullptr;
  size_t length = 0;
  int error = 0;
  ifreq request{};
  if (!args.Int32(0, &fd) || !ReadInterface(args, &request, &error) || !args.Int32(2, &flags) ||
      !args.WholeBytes(3, &out, &length)) {
    return nullptr;
  }
  if (length < sizeof request.ifr_name) return ToValue(env, -ENOBUFS);
  request.ifr_flags = static_cast<short>(flags);
  if (error == 0) error = os::Ioctl(fd, TUNSETIFF, &request);
  if (error < 0) return ToValue(env, error);
  const size_t named = strnlen(request.ifr_name, sizeof request.ifr_name);
  std::memcpy(out, request.ifr_name, named);
  return ToValue(env, static_cast<int32_t>(named));
}

const Export kExports[] = {
    {"eventfdCreate", EventfdCreate},     {"timerfdCreate", TimerfdCreateOn},
    {"timerfdSet", TimerfdSet},           {"pidfdOpen", PidfdOpen},
    {"pidfdSendSignal", PidfdSendSignal}, {"pidfdReap", PidfdReap},
    {"inotifyInit", InotifyInit},         {"inotifyAdd", InotifyAdd},
    {"inotifyRemove", InotifyRemove},     {"tunSetInterface", TunSetInterface},
};

}  // namespace

void ExportSources(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
}

}  // namespace tripoll
