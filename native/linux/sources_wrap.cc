// Fds that only Linux has, for JavaScript: eventfd, timerfd, pidfd, inotify, TUN. Each call is its
// syscall, but for what a struct needs.
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "call_wrap.h"
#include "os_calls.h"

namespace tripoll {

namespace {

// P_PIDFD: Linux 5.4, include/uapi/linux/wait.h; glibc has the name since 2.36.
constexpr int kPidfdIdType = 3;

// Reaps the child behind a pidfd: fills out with its pid, CLD_* and status as words. Returns 0,
// -EAGAIN while it runs, or -ECHILD when it is no child of ours, or no longer.
int PidfdReap(int fd, Span out) {
  int32_t words[3] = {0, 0, 0};
  if (out.length < sizeof words) return -EINVAL;
  siginfo_t status{};
  const int error = os::Waitid(kPidfdIdType, static_cast<unsigned>(fd), &status, WEXITED | WNOHANG);
  if (error < 0) return error;
  if (status.si_pid == 0) return -EAGAIN;
  words[0] = status.si_pid;
  words[1] = status.si_code;
  words[2] = status.si_status;
  std::memcpy(out.data, words, sizeof words);
  return 0;
}

// Returns the watch's number.
int InotifyAdd(int fd, Span path, Flags mask) {
  // A copy ends with the NUL that the call needs, and one within it would hide the rest.
  const std::string text(reinterpret_cast<const char*>(path.data), path.length);
  if (text.find('\0') != std::string::npos) return -EINVAL;
  return os::InotifyAddWatch(fd, text.c_str(), mask.word);
}

// (fd of /dev/net/tun, name or '' or 'tun%d', IFF_* flags, out): the length of the name that the
// interface has, which is in out.
int TunSetInterface(int fd, const std::string& name, int flags, Span out) {
  ifreq request{};
  if (out.length < sizeof request.ifr_name) return -ENOBUFS;
  if (name.size() >= sizeof request.ifr_name) return -ENAMETOOLONG;
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_flags = static_cast<short>(flags);
  const int error = os::Ioctl(fd, TUNSETIFF, &request);
  if (error < 0) return error;
  const size_t named = strnlen(request.ifr_name, sizeof request.ifr_name);
  std::memcpy(out.data, request.ifr_name, named);
  return static_cast<int>(named);
}

const Export kExports[] = {
    {"eventfdCreate", Open<os::Eventfd, int, int>}, {"timerfdCreate", Open<os::TimerfdCreateOn>},
    {"timerfdSet", Call<os::TimerfdSet>},           {"pidfdOpen", Open<os::PidfdOpen>},
    {"pidfdSendSignal", Call<os::PidfdSendSignal>}, {"pidfdReap", Call<PidfdReap>},
    {"inotifyInit", Open<os::InotifyInit1>},        {"inotifyAdd", Call<InotifyAdd>},
    {"inotifyRemove", Call<os::InotifyRmWatch>},    {"tunSetInterface", Call<TunSetInterface>},
};

}  // namespace

void ExportSources(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
