// sendfile, and who is at the other end: what each of these systems does in its own way.
#include <sys/types.h>

#include <sys/param.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef __FreeBSD__
#include <sys/ucred.h>
#endif

#include <cerrno>

#include "os_calls.h"
#include "syscall_counts.h"

namespace tripoll::os {

namespace {

// The level of LOCAL_* options; not every header has a name for it.
[[maybe_unused]] constexpr int kLocalLevel = 0;

#if defined(__APPLE__) || defined(__FreeBSD__)
// A call that was cut short says so by an error, and has sent bytes all the same.
int ToResult(int result, off_t sent) {
  if (result == 0) return static_cast<int>(sent);
  if ((errno == EAGAIN || errno == EINTR) && sent > 0) return static_cast<int>(sent);
  return -errno;
}
#endif

}  // namespace

#if defined(__APPLE__)
const bool kHasSendfile = true;

int Sendfile(int out_fd, int in_fd, int64_t offset, size_t length) {
  if (length == 0) return 0;  // would mean all of the file
  CountCall(Syscall::kSendfile);
  auto sent = static_cast<off_t>(length);
  const int result = sendfile(in_fd, out_fd, offset, &sent, nullptr, 0);
  return ToResult(result, sent);
}

int PeerCredentials(int fd, int32_t out[3]) {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  socklen_t size = sizeof pid;
  if (getpeereid(fd, &uid, &gid) < 0) return -errno;
  if (getsockopt(fd, kLocalLevel, LOCAL_PEERPID, &pid, &size) < 0) return -errno;
  out[0] = pid;
  out[1] = static_cast<int32_t>(uid);
  out[2] = static_cast<int32_t>(gid);
  return 0;
}
#elif defined(__FreeBSD__)
const bool kHasSendfile = true;

int Sendfile(int out_fd, int in_fd, int64_t offset, size_t length) {
  if (length == 0) return 0;  // would mean all of the file
  CountCall(Syscall::kSendfile);
  off_t sent = 0;
  const int result = sendfile(in_fd, out_fd, offset, length, nullptr, &sent, 0);
  return ToResult(result, sent);
}

int PeerCredentials(int fd, int32_t out[3]) {
  xucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, kLocalLevel, LOCAL_PEERCRED, &credentials, &size) < 0) return -errno;
  out[0] = credentials.cr_pid;  // since FreeBSD 13; 0 before
  out[1] = static_cast<int32_t>(credentials.cr_uid);
  out[2] = static_cast<int32_t>(credentials.cr_gid);
  return 0;
}
#else
const bool kHasSendfile = false;

int Sendfile(int /*out_fd*/, int /*in_fd*/, int64_t /*offset*/, size_t /*length*/) {
  return -ENOSYS;
}

#ifdef LOCAL_PEEREID  // NetBSD
int PeerCredentials(int fd, int32_t out[3]) {
  unpcbid credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, kLocalLevel, LOCAL_PEEREID, &credentials, &size) < 0) return -errno;
  out[0] = credentials.unp_pid;
  out[1] = static_cast<int32_t>(credentials.unp_euid);
  out[2] = static_cast<int32_t>(credentials.unp_egid);
  return 0;
}
#else                 // OpenBSD
int PeerCredentials(int fd, int32_t out[3]) {
  sockpeercred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -errno;
  out[0] = credentials.pid;
  out[1] = static_cast<int32_t>(credentials.uid);
  out[2] = static_cast<int32_t>(credentials.gid);
  return 0;
}
#endif
#endif

}  // namespace tripoll::os
