// The calls that unkind.h changes: by the linker's --wrap, so only the addon's own. Each asks the
// system first, or instead, and says what another kernel would.
#include "unkind.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>

// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
int __real_socket(int domain, int type, int protocol);
int __real_socketpair(int domain, int type, int protocol, int fds[2]);
int __real_accept4(int fd, sockaddr* address, socklen_t* length, int flags);
int __real_bind(int fd, const sockaddr* address, socklen_t length);
int __real_listen(int fd, int backlog);
int __real_connect(int fd, const sockaddr* address, socklen_t length);
ssize_t __real_send(int fd, const void* buffer, size_t length, int flags);
ssize_t __real_sendmsg(int fd, const msghdr* message, int flags);
int __real_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags);
int __real_fstat(int fd, struct stat* status);
int __real_fchmod(int fd, mode_t mode);

int __wrap_socket(int domain, int type, int protocol);
int __wrap_socketpair(int domain, int type, int protocol, int fds[2]);
int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags);
int __wrap_bind(int fd, const sockaddr* address, socklen_t length);
int __wrap_listen(int fd, int backlog);
int __wrap_connect(int fd, const sockaddr* address, socklen_t length);
ssize_t __wrap_send(int fd, const void* buffer, size_t length, int flags);
ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags);
int __wrap_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags);
int __wrap_fstat(int fd, struct stat* status);
int __wrap_fchmod(int fd, mode_t mode);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace kqueue_shim {

namespace {

const char* const kNames[] = {
    "enable-alone",          "no-buffers",   "dropped-syn", "small-sockets",     "full-backlog",
    "hang-up-at-half-close", "no-pollerr",   "no-inodes",   "no-abstract-names", "no-seqpacket",
    "no-socket-mode",        "one-loopback", "whole-sends",
};

std::set<std::string> ReadSwitches() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): it is set before the process starts, and never after.
  const char* text = getenv("TRIPOLL_UNKIND");
  std::set<std::string> names;
  const std::string list = text == nullptr ? "" : text;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    names.insert(list.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

// SO_SNDBUF and SO_RCVBUF, which Linux doubles, as it counts its own headers too.
constexpr int kSmallBytes = 16 * 1024;
// Of an Ethernet: with the 64 KB of the loopback a window of some KB would stay shut for long.
constexpr int kSmallSegment = 1448;
// somaxconn of the BSDs.
constexpr int kMostBacklog = 128;

int IntOption(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

void SetOption(int fd, int level, int name, int value) {
  const int error = errno;
  static_cast<void>(setsockopt(fd, level, name, &value, sizeof value));
  errno = error;
}

int Refuse(int error) {
  errno = error;
  return -1;
}

int Shrink(int fd) {
  if (fd < 0 || !Is(Unkind::kSmallSockets) || IntOption(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM)
    return fd;
  SetOption(fd, SOL_SOCKET, SO_SNDBUF, kSmallBytes);
  SetOption(fd, SOL_SOCKET, SO_RCVBUF, kSmallBytes);
  SetOption(fd, IPPROTO_TCP, TCP_MAXSEG, kSmallSegment);
  return fd;
}

// 0, or the errno of an address that other kernels do not have.
int Unknown(const sockaddr* address, socklen_t length) {
  if (address == nullptr || length < sizeof address->sa_family) return 0;
  if (address->sa_family == AF_UNIX && Is(Unkind::kNoAbstractNames)) {
    const auto* name = reinterpret_cast<const sockaddr_un*>(address);
    // An empty path, as far as a system sees that has no other names.
    if (length > offsetof(sockaddr_un, sun_path) + 1 && name->sun_path[0] == 0) return ENOENT;
  }
  if (address->sa_family == AF_INET && Is(Unkind::kOneLoopback)) {
    const uint32_t host = ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
    if (host >> 24 == 127 && host != INADDR_LOOPBACK) return EADDRNOTAVAIL;
  }
  return 0;
}

// The sockets of streams that were bound, by their port. An entry that a close has made stale is
// found out when it is used.
std::mutex bound_mutex;
std::map<int, int> bound_by_port;

int PortOf(const sockaddr_storage& name) {
  if (name.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
  }
  if (name.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&name)->sin6_port);
  }
  return -1;
}

int PortOf(int fd) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) < 0) return -1;
  return PortOf(name);
}

void NoteBound(int fd) {
  const int port = PortOf(fd);
  if (port <= 0 || IntOption(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) return;
  const std::lock_guard<std::mutex> lock(bound_mutex);
  bound_by_port[port] = fd;
}

// The socket of ours that has this port; -1 when there is none.
int BoundTo(int port) {
  const std::lock_guard<std::mutex> lock(bound_mutex);
  const auto found = bound_by_port.find(port);
  if (found == bound_by_port.end()) return -1;
  return PortOf(found->second) == port &&
                 IntOption(found->second, SOL_SOCKET, SO_TYPE) == SOCK_STREAM
             ? found->second
             : -1;
}

bool IsFull(int listener) {
  tcp_info info{};
  socklen_t length = sizeof info;
  // Of a listener these are the length of its queue and its most (tcp_get_info).
  return getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
         info.tcpi_unacked > info.tcpi_sacked;
}

// A port whose listener's queue is full for ever: Linux drops what comes to it.
class BlackHole {
 public:
  BlackHole() {
    if (!Is(Unkind::kDroppedSyn)) return;
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    auto* name = reinterpret_cast<sockaddr*>(&address_);
    for (int& one : fds_)
      one = __real_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (__real_bind(fds_[0], name, length) < 0 || __real_listen(fds_[0], 0) < 0 ||
        getsockname(fds_[0], name, &length) < 0) {
      return;
    }
    for (const int client : {fds_[1], fds_[2]})
      static_cast<void>(__real_connect(client, name, length));
  }
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;
  // The addon is unloaded with the last thread that has it.
  ~BlackHole() {
    for (const int one : fds_) {
      if (one >= 0) close(one);
    }
  }
  int Connect(int fd) const {
    return __real_connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
  }

 private:
  sockaddr_in address_{};
  int fds_[3] = {-1, -1, -1};  // the listener, and whom it has not accepted
};

// Made when the addon is loaded, so that no test takes its fds for its own.
const BlackHole black_hole;

// What a datagram's send says for EAGAIN.
template <typename Result>
Result ToNoBuffers(int fd, Result result) {
  if (result >= 0 || errno != EAGAIN || !Is(Unkind::kNoBuffers)) return result;
  errno = IntOption(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM ? ENOBUFS : EAGAIN;
  return result;
}

bool IsStream(int fd) { return IntOption(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM; }

}  // namespace

bool Is(Unkind what) {
  static const std::set<std::string> switches = ReadSwitches();
  return switches.count(kNames[static_cast<size_t>(what)]) > 0 || switches.count("all") > 0;
}

}  // namespace kqueue_shim

using kqueue_shim::Is;
using kqueue_shim::Unkind;

int __wrap_socket(int domain, int type, int protocol) {
  const int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (domain == AF_UNIX && kind == SOCK_SEQPACKET && Is(Unkind::kNoSeqpacket))
    return kqueue_shim::Refuse(EPROTONOSUPPORT);
  return kqueue_shim::Shrink(__real_socket(domain, type, protocol));
}

int __wrap_socketpair(int domain, int type, int protocol, int fds[2]) {
  const int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (domain == AF_UNIX && kind == SOCK_SEQPACKET && Is(Unkind::kNoSeqpacket))
    return kqueue_shim::Refuse(EPROTONOSUPPORT);
  const int error = __real_socketpair(domain, type, protocol, fds);
  if (error < 0) return error;
  kqueue_shim::Shrink(fds[0]);
  kqueue_shim::Shrink(fds[1]);
  return 0;
}

int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return kqueue_shim::Shrink(__real_accept4(fd, address, length, flags));
}

int __wrap_bind(int fd, const sockaddr* address, socklen_t length) {
  if (const int error = kqueue_shim::Unknown(address, length); error != 0)
    return kqueue_shim::Refuse(error);
  const int result = __real_bind(fd, address, length);
  if (result == 0) kqueue_shim::NoteBound(fd);
  return result;
}

int __wrap_listen(int fd, int backlog) {
  if (!Is(Unkind::kFullBacklog)) return __real_listen(fd, backlog);
  const int result = __real_listen(fd, std::min(backlog, kqueue_shim::kMostBacklog));
  if (result == 0) kqueue_shim::NoteBound(fd);
  return result;
}

int __wrap_connect(int fd, const sockaddr* address, socklen_t length) {
  if (const int error = kqueue_shim::Unknown(address, length); error != 0)
    return kqueue_shim::Refuse(error);
  sockaddr_storage to{};
  if (address != nullptr) std::memcpy(&to, address, std::min<size_t>(length, sizeof to));
  const int port = kqueue_shim::PortOf(to);
  if (port <= 0 || !kqueue_shim::IsStream(fd)) return __real_connect(fd, address, length);
  const int other = kqueue_shim::BoundTo(port);
  const bool listens = kqueue_shim::IntOption(other, SOL_SOCKET, SO_ACCEPTCONN) == 1;
  if (other >= 0 && !listens && to.ss_family == AF_INET && Is(Unkind::kDroppedSyn))
    return kqueue_shim::black_hole.Connect(fd);
  if (other >= 0 && listens && Is(Unkind::kFullBacklog) && kqueue_shim::IsFull(other))
    return kqueue_shim::Refuse(ECONNRESET);
  return __real_connect(fd, address, length);
}

ssize_t __wrap_send(int fd, const void* buffer, size_t length, int flags) {
  return kqueue_shim::ToNoBuffers(fd, __real_send(fd, buffer, length, flags));
}

ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  if (const int error = kqueue_shim::Unknown(static_cast<const sockaddr*>(message->msg_name),
                                             message->msg_namelen);
      error != 0) {
    return kqueue_shim::Refuse(error);
  }
  return kqueue_shim::ToNoBuffers(fd, __real_sendmsg(fd, message, flags));
}

int __wrap_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  for (unsigned i = 0; i < count; i++) {
    const msghdr& header = messages[i].msg_hdr;
    const int error =
        kqueue_shim::Unknown(static_cast<const sockaddr*>(header.msg_name), header.msg_namelen);
    if (error == 0) continue;
    if (i == 0) return kqueue_shim::Refuse(error);
    count = i;
  }
  return kqueue_shim::ToNoBuffers(fd, __real_sendmmsg(fd, messages, count, flags));
}

int __wrap_fstat(int fd, struct stat* status) {
  const int result = __real_fstat(fd, status);
  const bool is_nameless = S_ISSOCK(status->st_mode) || S_ISFIFO(status->st_mode);
  if (result == 0 && is_nameless && Is(Unkind::kNoInodes)) {
    status->st_ino = 0;
    status->st_dev = 0;
  }
  return result;
}

int __wrap_fchmod(int fd, mode_t mode) {
  const bool is_socket = kqueue_shim::IntOption(fd, SOL_SOCKET, SO_TYPE) >= 0;
  return is_socket && Is(Unkind::kNoSocketMode) ? kqueue_shim::Refuse(EINVAL)
                                                : __real_fchmod(fd, mode);
}
