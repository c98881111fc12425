// Calls for terminals, serial lines and other devices, for JavaScript: ioctl, termios, pseudo
// terminals. Each call is its syscall, but for what a struct needs.
#include <termios.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "env_wrap.h"
#include "os_calls.h"
#include "unix/line_speed.h"
#include "unix/terminal_constants.h"

namespace tripoll {

namespace {

// No request's own size is larger: Linux encodes it in 14 bits, the BSDs in 13. A request whose
// number tells no size cannot write past this either, whatever the caller's buffer is: the largest
// of those, Linux's console fonts, have 8 KB.
constexpr size_t kMostIoctlBytes = size_t{16} * 1024;

// An integer in place of a pointer. No system maps memory below this (Linux: vm.mmap_min_addr), so
// a request that wants a pointer after all says EFAULT.
constexpr uint32_t kMostIoctlInteger = 65535;

// As JavaScript has a struct termios: the flags and the speeds, in baud, then the characters.
struct Settings {
  uint32_t iflag;
  uint32_t oflag;
  uint32_t cflag;
  uint32_t lflag;
  uint32_t ispeed;
  uint32_t ospeed;
  uint8_t cc[NCCS];
};

int Own(const Args& args, int fd) {
  if (fd >= 0) args.environment()->fds.Insert(fd);
  return fd;
}

// (fd, request, integer)
napi_value IoctlInteger(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint32_t request = 0;
  uint32_t argument = 0;
  if (!args.Int32(0, &fd) || !args.Flags(1, &request) || !args.Uint32(2, &argument)) return nullptr;
  if (argument > kMostIoctlInteger) return ThrowRange(env, "an ioctl's integer is at most 65535");
  // NOLINTNEXTLINE(performance-no-int-to-ptr): ioctl(2) takes either in the same place
  return ToValue(env, os::Ioctl(fd, request, reinterpret_cast<void*>(uintptr_t{argument})));
}

// (fd, request, buffer)
napi_value IoctlBytes(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint32_t request = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.Flags(1, &request) || !args.WholeBytes(2, &data, &length))
    return nullptr;
  if (length < os::IoctlBytes(request) || length > kMostIoctlBytes) {
    return ThrowRange(env, "the buffer is shorter than the request says, or longer than 16384");
  }
  // The kernel gets memory of ours: what writes more than the caller's buffer holds hurts nobody.
  alignas(max_align_t) uint8_t memory[kMostIoctlBytes] = {};
  std::copy_n(data, length, memory);
  const int result = os::Ioctl(fd, request, memory);
  if (result >= 0) std::copy_n(memory, length, data);
  return ToValue(env, result);
}

napi_value SysDup(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  return ToValue(env, Own(args, os::Dup(fd)));
}

// (fd, the number that the duplicate gets, flags)
napi_value SysDup3(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t target = 0;
  int32_t flags = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &target) || !args.Flags(2, &flags)) return nullptr;
  return ToValue(env, Own(args, os::Dup3(fd, target, flags)));
}

// (fd, out)
napi_value SysTcgetattr(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  uint8_t* out = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.WholeBytes(1, &out, &length)) return nullptr;
  Settings settings{};
  if (length < sizeof settings) return ThrowRange(env, "the buffer has no room for termios");
  termios from{};
  const int error = os::Tcgetattr(fd, &from);
  if (error < 0) return ToValue(env, error);
  settings.iflag = static_cast<uint32_t>(from.c_iflag);
  settings.oflag = static_cast<uint32_t>(from.c_oflag);
  settings.cflag = static_cast<uint32_t>(from.c_cflag);
  settings.lflag = static_cast<uint32_t>(from.c_lflag);
  settings.ispeed = ToBaud(cfgetispeed(&from));
  settings.ospeed = ToBaud(cfgetospeed(&from));
  std::copy_n(from.c_cc, NCCS, settings.cc);
  std::memcpy(out, &settings, sizeof settings);
  return ToValue(env, 0);
}

// 0, or -EINVAL for a speed that this system has no name for. Who hands back what tcgetattr told
// keeps the line's speed, also one without a name, which was told as 0 and would hang up.
int SetSpeeds(const Settings& settings, speed_t input, speed_t output, termios* to) {
  if (settings.ispeed != ToBaud(input) && !FromBaud(settings.ispeed, &input)) return -EINVAL;
  if (settings.ospeed != ToBaud(output) && !FromBaud(settings.ospeed, &output)) return -EINVAL;
  return cfsetispeed(to, input) == 0 && cfsetospeed(to, output) == 0 ? 0 : -EINVAL;
}

// (fd, TCSA*, settings). What this system keeps beside these fields stays as it is.
napi_value SysTcsetattr(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  int32_t action = 0;
  uint8_t* data = nullptr;
  size_t length = 0;
  if (!args.Int32(0, &fd) || !args.Int32(1, &action) || !args.WholeBytes(2, &data, &length))
    return nullptr;
  Settings settings{};
  if (length < sizeof settings) return ThrowRange(env, "the buffer has no room for termios");
  std::memcpy(&settings, data, sizeof settings);
  termios to{};
  int error = os::Tcgetattr(fd, &to);
  if (error == 0) {
    const speed_t input = cfgetispeed(&to);
    const speed_t output = cfgetospeed(&to);
    to.c_iflag = settings.iflag;
    to.c_oflag = settings.oflag;
    to.c_cflag = settings.cflag;
    to.c_lflag = settings.lflag;
    std::copy_n(settings.cc, NCCS, to.c_cc);
    // Linux has the speeds within c_cflag: after it.
    error = SetSpeeds(settings, input, output, &to);
  }
  return ToValue(env, error < 0 ? error : os::Tcsetattr(fd, action, &to));
}

napi_value SysOpenpt(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t flags = 0;
  if (!args.Flags(0, &flags)) return nullptr;
  return ToValue(env, Own(args, os::PosixOpenpt(flags)));
}

napi_value CallWithFd(napi_env env, napi_callback_info info, int (*call)(int fd)) {
  const Args args(env, info);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  return ToValue(env, call(fd));
}

napi_value SysGrantpt(napi_env env, napi_callback_info info) {
  return CallWithFd(env, info, os::Grantpt);
}
napi_value SysUnlockpt(napi_env env, napi_callback_info info) {
  return CallWithFd(env, info, os::Unlockpt);
}

// Fills the caller's object: { name }.
napi_value SysPtsname(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  int32_t fd = 0;
  if (!args.Int32(0, &fd)) return nullptr;
  char name[128];
  const int error = os::Ptsname(fd, name, sizeof name);
  if (error < 0) return ToValue(env, error);
  return SetText(env, args[1], "name", name) ? ToValue(env, 0)
                                             : ThrowType(env, "expected an object to fill");
}

const Export kExports[] = {
    {"ioctlInteger", IoctlInteger},
    {"ioctlBytes", IoctlBytes},
    {"dup", SysDup},
    {"dup3", SysDup3},
    {"tcgetattr", SysTcgetattr},
    {"tcsetattr", SysTcsetattr},
    {"posixOpenpt", SysOpenpt},
    {"grantpt", SysGrantpt},
    {"unlockpt", SysUnlockpt},
    {"ptsname", SysPtsname},
};

}  // namespace

void ExportTerminal(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports, sizeof kExports / sizeof kExports[0]);
  napi_value constants = ToObject(env, kTerminalConstants, kTerminalConstantCount);
  if (constants == nullptr) return;
  // What fails here leaves an exception pending, which fails the load.
  static_cast<void>(napi_set_named_property(env, exports, "terminalConstants", constants));
}

}  // namespace tripoll
