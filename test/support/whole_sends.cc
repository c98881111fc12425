// Windows' way of sending, on Linux: while a stream has room at all it takes a call's bytes whole.
// To be preloaded (npm run test:whole-sends), so that what runs is the very addon. It needs
// CAP_NET_ADMIN, without which Linux gives a socket no more room than its administrator allows.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace {

// What native/windows gives a call at most: kMostPerSend of its net.h.
constexpr size_t kMostPerSend = size_t{256} << 10;
constexpr size_t kMostParts = 1024;  // IOV_MAX
constexpr int kHugeBytes = 1 << 29;

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int IntOption(int fd, int name) {
  const int error = errno;
  int value = -1;
  socklen_t length = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0) value = -1;
  errno = error;
  return value;
}

bool IsStream(int fd) { return IntOption(fd, SO_TYPE) == SOCK_STREAM; }

// Linux takes some bytes of almost any call, behind the last that wait. So poll(2) says what is
// full, and who is refused is told when there is room.
bool IsFull(int fd, int flags) {
  const int error = errno;
  pollfd asked{fd, POLLOUT, 0};
  const bool waits = (flags & MSG_DONTWAIT) == 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
  const bool full = !waits && poll(&asked, 1, 0) == 0;
  errno = error;
  return full;
}

// Room for all that is left of a call.
class Grown {
 public:
  explicit Grown(int fd) : fd_(fd), before_(IntOption(fd, SO_SNDBUF)) { Set(kHugeBytes); }
  Grown(const Grown&) = delete;
  Grown& operator=(const Grown&) = delete;
  ~Grown() { Set(before_ / 2); }  // as Linux doubles it

 private:
  void Set(int bytes) const {
    const int error = errno;
    static_cast<void>(setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes));
    errno = error;
  }
  const int fd_;
  const int before_;
};

// `call` sends what fits of the parts that it is given.
template <typename Call>
ssize_t SendWhole(int fd, const iovec* given, size_t given_count, int flags, Call call) {
  static auto* const real_send = Next<decltype(send)>("send");
  if (IsFull(fd, flags)) {
    errno = EAGAIN;
    return -1;
  }
  iovec parts[kMostParts];
  size_t left = kMostPerSend;
  size_t count = 0;
  for (; count < given_count && count < kMostParts && left > 0; count++) {
    parts[count] = {given[count].iov_base, std::min(given[count].iov_len, left)};
    left -= parts[count].iov_len;
  }
  const ssize_t sent = call(parts, count);
  if (sent <= 0) return sent;
  ssize_t total = sent;
  auto skip = static_cast<size_t>(sent);
  for (size_t i = 0; i < count; i++) {
    const size_t from = std::min(skip, parts[i].iov_len);
    skip -= from;
    const size_t length = parts[i].iov_len - from;
    if (length == 0) continue;
    const Grown grown(fd);
    const auto* rest = static_cast<const char*>(parts[i].iov_base) + from;
    const ssize_t went = real_send(fd, rest, length, flags);
    total += std::max<ssize_t>(went, 0);
    if (went < 0 || static_cast<size_t>(went) < length) break;
  }
  return total;
}

}  // namespace

extern "C" {

ssize_t send(int fd, const void* buffer, size_t length, int flags) {
  static auto* const real = Next<decltype(send)>("send");
  if (!IsStream(fd)) return real(fd, buffer, length, flags);
  const iovec all{const_cast<void*>(buffer), length};
  return SendWhole(fd, &all, 1, flags, [&](const iovec* parts, size_t) {
    return real(fd, parts->iov_base, parts->iov_len, flags);
  });
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static auto* const real = Next<decltype(sendmsg)>("sendmsg");
  if (message == nullptr || !IsStream(fd)) return real(fd, message, flags);
  const auto call = [&](iovec* parts, size_t count) {
    msghdr bounded = *message;
    bounded.msg_iov = parts;
    bounded.msg_iovlen = count;
    return real(fd, &bounded, flags);
  };
  return SendWhole(fd, message->msg_iov, message->msg_iovlen, flags, call);
}

ssize_t write(int fd, const void* buffer, size_t length) {
  static auto* const real = Next<decltype(write)>("write");
  if (!IsStream(fd)) return real(fd, buffer, length);
  const iovec all{const_cast<void*>(buffer), length};
  return SendWhole(fd, &all, 1, 0, [&](const iovec* parts, size_t) {
    return real(fd, parts->iov_base, parts->iov_len);
  });
}

ssize_t writev(int fd, const iovec* buffers, int count) {
  static auto* const real = Next<decltype(writev)>("writev");
  if (count <= 0 || !IsStream(fd)) return real(fd, buffers, count);
  return SendWhole(fd, buffers, static_cast<size_t>(count), 0, [&](const iovec* parts, size_t n) {
    return real(fd, parts, static_cast<int>(n));
  });
}

}  // extern "C"
