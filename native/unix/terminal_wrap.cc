// Calls for terminals, serial lines and other devices, for JavaScript: ioctl, termios, pseudo
// terminals. Each call is its syscall, but for what a struct needs.
#include <termios.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "call_wrap.h"
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

// An integer in the pointer's place.
napi_value IoctlInteger(napi_env env, int fd, Flags request, uint32_t argument) {
  if (argument > kMostIoctlInteger) return ThrowRange(env, "an ioctl's integer is at most 65535");
  // NOLINTNEXTLINE(performance-no-int-to-ptr): ioctl(2) takes either in the same place
  auto* pointer = reinterpret_cast<void*>(uintptr_t{argument});
  return ToValue(env, os::Ioctl(fd, request.word, pointer));
}

napi_value IoctlBytes(napi_env env, int fd, Flags request, Span bytes) {
  if (bytes.length < os::IoctlBytes(request.word) || bytes.length > kMostIoctlBytes) {
    return ThrowRange(env, "the buffer is shorter than the request says, or longer than 16384");
  }
  // The kernel gets memory of ours: what writes more than the caller's buffer holds hurts nobody.
  alignas(max_align_t) uint8_t memory[kMostIoctlBytes] = {};
  std::copy_n(bytes.data, bytes.length, memory);
  const int result = os::Ioctl(fd, request.word, memory);
  if (result >= 0) std::copy_n(memory, bytes.length, bytes.data);
  return ToValue(env, result);
}

// A Uint8Array that has room for Settings.
struct SettingsArgument : Span {
  bool Read(const Args* args, size_t at) {
    if (!args->WholeBytes(at, this)) return false;
    if (length >= sizeof(Settings)) return true;
    ThrowRange(args->env(), "the buffer has no room for termios");
    return false;
  }
};

int Tcgetattr(int fd, SettingsArgument out) {
  Settings settings{};
  termios from{};
  const int error = os::Tcgetattr(fd, &from);
  if (error < 0) return error;
  settings.iflag = static_cast<uint32_t>(from.c_iflag);
  settings.oflag = static_cast<uint32_t>(from.c_oflag);
  settings.cflag = static_cast<uint32_t>(from.c_cflag);
  settings.lflag = static_cast<uint32_t>(from.c_lflag);
  settings.ispeed = ToBaud(cfgetispeed(&from));
  settings.ospeed = ToBaud(cfgetospeed(&from));
  std::copy_n(from.c_cc, NCCS, settings.cc);
  std::memcpy(out.data, &settings, sizeof settings);
  return 0;
}

// 0, or -EINVAL for a speed that this system has no name for. Who hands back what tcgetattr told
// keeps the line's speed, also one without a name, which was told as 0 and would hang up.
int SetSpeeds(const Settings& settings, speed_t input, speed_t output, termios* to) {
  if (settings.ispeed != ToBaud(input) && !FromBaud(settings.ispeed, &input)) return -EINVAL;
  if (settings.ospeed != ToBaud(output) && !FromBaud(settings.ospeed, &output)) return -EINVAL;
  return cfsetispeed(to, input) == 0 && cfsetospeed(to, output) == 0 ? 0 : -EINVAL;
}

// What this system keeps beside these fields stays as it is.
int Tcsetattr(int fd, int action, SettingsArgument from) {
  Settings settings{};
  std::memcpy(&settings, from.data, sizeof settings);
  termios to{};
  int error = os::Tcgetattr(fd, &to);
  if (error < 0) return error;
  const speed_t input = cfgetispeed(&to);
  const speed_t output = cfgetospeed(&to);
  to.c_iflag = settings.iflag;
  to.c_oflag = settings.oflag;
  to.c_cflag = settings.cflag;
  to.c_lflag = settings.lflag;
  std::copy_n(settings.cc, NCCS, to.c_cc);
  // Linux has the speeds within c_cflag: after it.
  error = SetSpeeds(settings, input, output, &to);
  return error < 0 ? error : os::Tcsetattr(fd, action, &to);
}

// Fills the caller's object: { name }.
napi_value Ptsname(napi_env env, int fd, napi_value out) {
  char name[128];
  const int error = os::Ptsname(fd, name, sizeof name);
  if (error < 0) return ToValue(env, error);
  return SetText(env, out, "name", name) ? ToValue(env, 0)
                                         : ThrowType(env, "expected an object to fill");
}

const Export kExports[] = {
    {"ioctlInteger", Call<IoctlInteger>},
    {"ioctlBytes", Call<IoctlBytes>},
    {"dup", Open<os::Dup>},
    {"dup3", Open<os::Dup3, int, int, Flags>},
    {"tcgetattr", Call<Tcgetattr>},
    {"tcsetattr", Call<Tcsetattr>},
    {"posixOpenpt", Open<os::PosixOpenpt, Flags>},
    {"grantpt", Call<os::Grantpt>},
    {"unlockpt", Call<os::Unlockpt>},
    {"ptsname", Call<Ptsname>},
};

}  // namespace

void ExportTerminal(napi_env env, napi_value exports) {
  ExportAll(env, exports, kExports);
  napi_value constants = ToObject(env, kTerminalConstants, kTerminalConstantCount);
  if (constants == nullptr) return;
  // What fails here leaves an exception pending, which fails the load.
  static_cast<void>(napi_set_named_property(env, exports, "terminalConstants", constants));
}

}  // namespace tripoll
