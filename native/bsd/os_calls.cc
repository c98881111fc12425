#include "os_calls.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "bsd/missing.h"
#include "unique_fd.h"
#include "unix/result.h"

namespace tripoll::os {

namespace {

#ifdef TRIPOLL_FLAGS_AFTER_BIRTH

constexpr int kBirthFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;

int SetFlags(int fd, bool close_on_exec, bool non_blocking) {
  if (close_on_exec && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return -errno;
  if (!non_blocking) return 0;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  return Result(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

// What the socket's type could not say, and that a send never raises SIGPIPE (T43): there is no
// MSG_NOSIGNAL. Closes it when that fails.
int FinishSocket(int fd, int flags) {
  if (fd < 0) return fd;
  UniqueFd owned(fd);
  int error = SetFlags(fd, (flags & SOCK_CLOEXEC) != 0, (flags & SOCK_NONBLOCK) != 0);
  const int on = 1;
  // EINVAL: the peer of an accepted socket has gone already, and the option with it.
  if (error >= 0 && setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) < 0 && errno != EINVAL)
    error = -errno;
  return error < 0 ? error : owned.Release();
}

// Each is an fd or a -errno; where one has failed, the other is closed.
int FinishPair(int fds[2], int first, int second) {
  UniqueFd one(first);
  UniqueFd other(second);
  if (first < 0) return first;
  if (second < 0) return second;
  fds[0] = one.Release();
  fds[1] = other.Release();
  return 0;
}

#endif

#ifndef MSG_CMSG_CLOEXEC
// macOS: a fork in another thread, between recvmsg and this, lets the child inherit them.
void CloseFdsOnExec(msghdr* message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr;
       header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (static_cast<size_t>(header->cmsg_len) - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      static_cast<void>(fcntl(fd, F_SETFD, FD_CLOEXEC));
    }
  }
}
#endif

}  // namespace

#ifdef TRIPOLL_FLAGS_AFTER_BIRTH

int Socket(int domain, int type, int protocol) {
  return FinishSocket(Result(socket(domain, type & ~kBirthFlags, protocol), Syscall::kSocket),
                      type);
}

int Accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  const int accepted = Result(accept(fd, address, length), Syscall::kAccept);
  if (accepted < 0) return accepted;
  // It inherits O_NONBLOCK from its listener here, and must not where that was not asked for.
  const int status = fcntl(accepted, F_GETFL);
  if (status >= 0 && (flags & SOCK_NONBLOCK) == 0)
    static_cast<void>(fcntl(accepted, F_SETFL, status & ~O_NONBLOCK));
  return FinishSocket(accepted, flags);
}

int Socketpair(int domain, int type, int protocol, int fds[2]) {
  const int error = Result(socketpair(domain, type & ~kBirthFlags, protocol, fds));
  if (error < 0) return error;
  return FinishPair(fds, FinishSocket(fds[0], type), FinishSocket(fds[1], type));
}

int Pipe2(int fds[2], int flags) {
  const int error = Result(pipe(fds));
  if (error < 0) return error;
  UniqueFd ends[2] = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  for (const UniqueFd& end : ends) {
    const int failed = SetFlags(end.get(), (flags & O_CLOEXEC) != 0, (flags & O_NONBLOCK) != 0);
    if (failed < 0) return failed;
  }
  for (UniqueFd& end : ends) static_cast<void>(end.Release());
  return 0;
}

#else

int Socket(int domain, int type, int protocol) {
  return Result(socket(domain, type, protocol), Syscall::kSocket);
}
int Accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return Result(accept4(fd, address, length, flags), Syscall::kAccept);
}
int Socketpair(int domain, int type, int protocol, int fds[2]) {
  return Result(socketpair(domain, type, protocol, fds));
}
int Pipe2(int fds[2], int flags) { return Result(pipe2(fds, flags)); }

#endif

size_t IoctlBytes(unsigned long request) { return IOCPARM_LEN(request); }

int Dup3(int fd, int target, int flags) {
  // As dup3(2) has it; macOS has no such call, and between the two a fork in another thread
  // inherits the number.
  if (fd == target || (flags & ~O_CLOEXEC) != 0) return -EINVAL;
  const int result = Result(dup2(fd, target));
  if (result < 0 || (flags & O_CLOEXEC) == 0) return result;
  const int error = Result(fcntl(target, F_SETFD, FD_CLOEXEC));
  return error < 0 ? error : result;
}

int Ptsname(int fd, char* name, size_t length) {
  // Not every system has ptsname_r. The lock keeps our own threads apart.
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  const char* text = ptsname(fd);
  if (text == nullptr) return -errno;
  const size_t bytes = std::strlen(text) + 1;
  if (bytes > length) return -ERANGE;
  std::memcpy(name, text, bytes);
  return 0;
}

int Recvmsg(int fd, msghdr* message, int flags) {
#ifdef MSG_CMSG_CLOEXEC
  return Result(
      recvmsg(fd, message, flags | (message->msg_control != nullptr ? MSG_CMSG_CLOEXEC : 0)),
      Syscall::kRecvmsg);
#else
  const int received = Result(recvmsg(fd, message, flags), Syscall::kRecvmsg);
  if (received >= 0) CloseFdsOnExec(message);
  return received;
#endif
}
// Where there are such calls they are loops of the C library's: datagrams.cc has its own.
int Sendmmsg(int /*fd*/, BatchMessage* /*messages*/, unsigned /*count*/, int /*flags*/) {
  return -ENOSYS;
}
int Recvmmsg(int /*fd*/, BatchMessage* /*messages*/, unsigned /*count*/, int /*flags*/) {
  return -ENOSYS;
}

}  // namespace tripoll::os
