// poll(2) of other systems: see unkind.h.
#include <sys/socket.h>

#include "os_calls.h"
#include "unix/result.h"
#include "unkind.h"

namespace tripoll::os {

namespace {

using kqueue_shim::Is;
using kqueue_shim::Unkind;

// XNU has one only with the other.
bool HasNoPollerr() { return Is(Unkind::kNoPollerr) || Is(Unkind::kHangUpAtHalfClose); }

bool IsSocket(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
}

bool IsDatagramSocket(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_DGRAM;
}

short ToUnkind(const pollfd& asked) {
  int said = asked.revents;
  // An error is ready to read and to write.
  if ((said & POLLERR) != 0 && HasNoPollerr() && IsSocket(asked.fd))
    said = (said & ~POLLERR) | (asked.events & (POLLIN | POLLOUT));
  if (Is(Unkind::kHangUpAtHalfClose) && (said & (POLLRDHUP | POLLHUP)) != 0)
    said = (said & ~(POLLRDHUP | POLLOUT)) | POLLHUP | (asked.events & POLLIN);
  return static_cast<short>(said);
}

}  // namespace

int Poll(pollfd* fds, size_t count, int timeout_ms) {
  // A full receiver is not the sender's affair: its socket is writable.
  bool at_once = false;
  for (size_t i = 0; Is(Unkind::kNoBuffers) && i < count; i++)
    at_once |= (fds[i].events & POLLOUT) != 0 && fds[i].fd >= 0 && IsDatagramSocket(fds[i].fd);
  // The filter for reading has EV_EOF for who waits for POLLPRI too.
  for (size_t i = 0; Is(Unkind::kHangUpAtHalfClose) && i < count; i++)
    if ((fds[i].events & POLLPRI) != 0) fds[i].events |= POLLRDHUP;
  int ready = Result(poll(fds, static_cast<nfds_t>(count), at_once ? 0 : timeout_ms));
  for (size_t i = 0; ready >= 0 && i < count; i++) {
    const bool was_ready = fds[i].revents != 0;
    fds[i].revents = ToUnkind(fds[i]);
    if (at_once && (fds[i].events & POLLOUT) != 0 && fds[i].fd >= 0 && IsDatagramSocket(fds[i].fd))
      fds[i].revents |= POLLOUT;
    ready += static_cast<int>(fds[i].revents != 0) - static_cast<int>(was_ready);
  }
  return ready;
}

PollFacts FactsOfPoll() { return {!HasNoPollerr(), !Is(Unkind::kHangUpAtHalfClose)}; }

}  // namespace tripoll::os
