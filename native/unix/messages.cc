#include "unix/messages.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "os_calls.h"

namespace tripoll {

namespace {

constexpr size_t kFdBytes = sizeof(int) * kMostFds;
// For what else a system may put in: credentials, a security label, timestamps.
constexpr size_t kOtherControlBytes = 512;

// What one control message brought, however many fds fit into it: its length counts, not what we
// asked for, since alignment leaves room for one more.
void TakeFds(const cmsghdr& header, const uint8_t* data, int capacity, ReceivedMessage* received) {
  const size_t count = (header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < count; i++) {
    int fd = -1;
    std::memcpy(&fd, data + i * sizeof(int), sizeof fd);
    if (received->fd_count < std::min(capacity, kMostFds)) {
      received->fds[received->fd_count++] = fd;
    } else {
      // Nobody could be told of it; EINTR has closed (T42).
      static_cast<void>(os::Close(fd));
      received->closed_count++;
    }
  }
}

}  // namespace

int ReceiveMessage(int fd, Span buffer, Span name, int flags, int fd_capacity,
                   ReceivedMessage* received) {
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(kFdBytes) + kOtherControlBytes];
  iovec vector{buffer.data, buffer.length};
  msghdr message{};
  message.msg_name = name.length > 0 ? name.data : nullptr;
  message.msg_namelen = static_cast<socklen_t>(name.length);
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  // Without a capacity the system itself drops what comes.
  if (fd_capacity > 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
  }
  const int result = os::Recvmsg(fd, &message, flags | MSG_DONTWAIT);
  if (result < 0) return result;
  received->flags = message.msg_flags;
  received->name_length = name.length > 0 ? message.msg_namelen : 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      TakeFds(*header, CMSG_DATA(header), fd_capacity, received);
    }
  }
  return result;
}

int SendMessage(int fd, Span buffer, Span name, const int* fds, int fd_count) {
  if (fd_count < 0 || fd_count > kMostFds) return -EINVAL;
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(kFdBytes)] = {};
  iovec vector{buffer.data, buffer.length};
  msghdr message{};
  message.msg_name = name.length > 0 ? name.data : nullptr;
  message.msg_namelen = static_cast<socklen_t>(name.length);
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    const size_t bytes = sizeof(int) * static_cast<size_t>(fd_count);
    message.msg_control = control;
    // A size_t with glibc, a socklen_t elsewhere.
    message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(bytes));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(bytes));
    std::memcpy(CMSG_DATA(header), fds, bytes);
  }
  return os::Sendmsg(fd, &message, kSendFlags);
}

}  // namespace tripoll
