// Those calls that are the same on every Unix system; the others are in linux/ and bsd/os_calls.cc.
#include "os_calls.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>

#include "unix/result.h"

namespace tripoll::os {

namespace {

// An unsigned long everywhere but with musl, which has an int, and the same bits in it.
template <typename Request>
int CallIoctl(int (*call)(int, Request, ...), int fd, unsigned long request, void* argument) {
  return Result(call(fd, static_cast<Request>(request), argument));
}

}  // namespace

int Bind(int fd, const sockaddr* address, socklen_t length) {
  return Result(bind(fd, address, length), Syscall::kBind);
}
int Listen(int fd, int backlog) { return Result(listen(fd, backlog), Syscall::kListen); }
int Connect(int fd, const sockaddr* address, socklen_t length) {
  return Result(connect(fd, address, length), Syscall::kConnect);
}
int Recv(int fd, void* buffer, size_t length, int flags) {
  return Uncounted(recv(fd, buffer, length, flags));
}
int Send(int fd, const void* buffer, size_t length, int flags) {
  return Uncounted(send(fd, buffer, length, flags));
}
int Sendmsg(int fd, const msghdr* message, int flags) {
  return Result(sendmsg(fd, message, flags), Syscall::kSendmsg);
}
int Shutdown(int fd, int how) { return Result(shutdown(fd, how), Syscall::kShutdown); }
int Getsockname(int fd, sockaddr* address, socklen_t* length) {
  return Result(getsockname(fd, address, length));
}
int Getpeername(int fd, sockaddr* address, socklen_t* length) {
  return Result(getpeername(fd, address, length));
}
int Setsockopt(int fd, int level, int name, const void* value, socklen_t length) {
  return Result(setsockopt(fd, level, name, value, length), Syscall::kSetsockopt);
}
int Getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  return Result(getsockopt(fd, level, name, value, length), Syscall::kGetsockopt);
}
int Read(int fd, void* buffer, size_t length) {
  return Result(read(fd, buffer, length), Syscall::kRead);
}
int Write(int fd, const void* buffer, size_t length) {
  return Result(write(fd, buffer, length), Syscall::kWrite);
}
int Writev(int fd, const iovec* buffers, int count) {
  return Result(writev(fd, buffers, count), Syscall::kWritev);
}
int Fcntl(int fd, int command, int argument) { return Result(fcntl(fd, command, argument)); }
int Close(int fd) { return Result(close(fd), Syscall::kClose); }
int OpenFile(const char* path, int flags) { return Result(open(path, flags | O_CLOEXEC, 0)); }
int Fstat(int fd, struct stat* status) { return Result(fstat(fd, status)); }
int Fchmod(int fd, uint32_t mode) { return Result(fchmod(fd, static_cast<mode_t>(mode))); }
int Ioctl(int fd, unsigned long request, void* argument) {
  return CallIoctl(ioctl, fd, request, argument);
}
int Dup(int fd) { return Result(dup(fd)); }
int Tcgetattr(int fd, termios* settings) { return Result(tcgetattr(fd, settings)); }
int Tcsetattr(int fd, int action, const termios* settings) {
  return Result(tcsetattr(fd, action, settings));
}
int PosixOpenpt(int flags) { return Result(posix_openpt(flags)); }
int Grantpt(int fd) { return Result(grantpt(fd)); }
int Unlockpt(int fd) { return Result(unlockpt(fd)); }
int IfNametoindex(const char* name) {
  const unsigned index = if_nametoindex(name);
  return index == 0 ? -errno : static_cast<int>(index);
}

}  // namespace tripoll::os
