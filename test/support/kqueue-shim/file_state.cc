#include "file_state.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "unkind.h"

namespace kqueue_shim {

namespace {

// include/net/tcp_states.h; the kernel's tcp_info is newer than that of netinet/tcp.h, which has
// them.
enum TcpState {
  kSynSent = 2,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClose = 7,
  kLastAck = 9,
  kClosing = 11
};

struct Socket {
  bool is_socket = false;
  bool is_stream = false;
  bool is_datagram = false;
  bool is_tcp = false;
  bool listens = false;
  tcp_info info{};

  // The handshake gave it a round-trip time.
  bool was_connected() const {
    return info.tcpi_rtt != 0 || (info.tcpi_state != kClose && info.tcpi_state != kSynSent);
  }
  // Our own side has ended its writing, or all of it is over.
  bool write_ended() const {
    switch (info.tcpi_state) {
      case kFinWait1:
      case kFinWait2:
      case kTimeWait:
      case kClose:
      case kLastAck:
      case kClosing:
        return true;
      default:
        return false;
    }
  }
};

int IntOption(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

Socket AskSocket(int fd) {
  Socket socket;
  const int type = IntOption(fd, SOL_SOCKET, SO_TYPE);
  if (type < 0) return socket;
  socket.is_socket = true;
  socket.is_stream = type == SOCK_STREAM;
  socket.is_datagram = type == SOCK_DGRAM;
  socket.listens = IntOption(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
  const int domain = IntOption(fd, SOL_SOCKET, SO_DOMAIN);
  socklen_t length = sizeof socket.info;
  socket.is_tcp = socket.is_stream && (domain == AF_INET || domain == AF_INET6) &&
                  getsockopt(fd, IPPROTO_TCP, TCP_INFO, &socket.info, &length) == 0;
  return socket;
}

// kqueue shows so_error without taking it. Linux has no such look: the one error that a connection
// over the loopback can have is told from what became of it.
int PendingError(const Socket& socket) {
  return socket.is_tcp && !socket.was_connected() ? ECONNREFUSED : ECONNRESET;
}

int64_t ReadableBytes(int fd, const Socket& socket) {
  int bytes = 0;
  if (socket.listens || ioctl(fd, FIONREAD, &bytes) < 0) return 1;
  return bytes;
}

}  // namespace

FileState AskFile(int fd) {
  FileState state;
  pollfd asked{fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  if (poll(&asked, 1, 0) < 0) return state;
  if ((asked.revents & POLLNVAL) != 0) {
    state.closed = true;
    return state;
  }
  const Socket socket = AskSocket(fd);
  const bool failed = (asked.revents & POLLERR) != 0;
  const bool hung_up = (asked.revents & POLLHUP) != 0;
  // Linux says HUP and OUT of a TCP socket that was never connected; a kqueue says nothing.
  if (socket.is_tcp && !socket.listens && !failed && !socket.was_connected()) return state;
  // A datagram socket with an error is ready, and has not ended.
  const bool broken = failed && socket.is_stream;
  const int error = broken ? PendingError(socket) : 0;

  state.read.ended = hung_up || broken || (asked.revents & POLLRDHUP) != 0;
  state.read.ready =
      state.read.ended || (asked.revents & (POLLIN | (socket.is_socket ? POLLERR : 0))) != 0;
  state.read.error = error;
  if (state.read.ready) state.read.data = ReadableBytes(fd, socket);

  // A pipe's reader has gone: POLLERR. A socket's own shutdown of writing counts (T21).
  const bool shut = socket.is_tcp && !socket.listens && socket.write_ended();
  state.write.ended =
      broken || shut || (failed && !socket.is_socket) || (hung_up && socket.is_socket);
  // A full receiver is not the sender's affair (unkind.h).
  const bool always = socket.is_datagram && Is(Unkind::kNoBuffers);
  state.write.ready = state.write.ended || failed || always || (asked.revents & POLLOUT) != 0;
  state.write.error = error;
  state.write.data = state.write.ready ? 1 : 0;
  return state;
}

bool IsBrokenPipe(int fd) {
  struct stat status {};
  if (fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode)) return false;
  pollfd asked{fd, POLLOUT, 0};
  return poll(&asked, 1, 0) > 0 && (asked.revents & POLLERR) != 0;
}

}  // namespace kqueue_shim
