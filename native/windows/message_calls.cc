// Datagrams with their addresses and ancillary data, by Winsock.
#include <algorithm>
#include <atomic>
#include <climits>

#include "datagram_calls.h"
#include "syscall_counts.h"
#include "windows/net.h"
#include "windows/pipe_calls.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll::os {

namespace {

// An extension of Winsock's: each socket's provider hands it out, and Windows' own, the only one
// for datagrams since layers of other programs have gone out of use, always the same.
LPFN_WSARECVMSG ReceiveCall(int fd) {
  static std::atomic<LPFN_WSARECVMSG> known{nullptr};
  LPFN_WSARECVMSG call = known.load();
  if (call != nullptr) return call;
  GUID name = WSAID_WSARECVMSG;
  DWORD bytes = 0;
  if (WSAIoctl(ToSocket(fd), SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name, &call,
               sizeof call, &bytes, nullptr, nullptr) != 0) {
    return nullptr;
  }
  known.store(call);
  return call;
}

size_t TotalBytes(const msghdr& message) {
  size_t total = 0;
  for (size_t i = 0; i < std::min(message.msg_iovlen, kMostVectors); i++)
    total += message.msg_iov[i].iov_len;
  return std::min<size_t>(total, INT_MAX);
}

// The first of them that one call sends; returns how many.
DWORD TrimToSend(WSABUF* buffers, DWORD count) {
  ULONG left = kMostPerSend;
  for (DWORD i = 0; i < count; i++) {
    buffers[i].len = std::min(buffers[i].len, left);
    left -= buffers[i].len;
    if (left == 0) return i + 1;
  }
  return count;
}

WSAMSG ToNative(const msghdr& message, WSABUF (&buffers)[kMostVectors], int flags) {
  WSAMSG native{};
  native.name = static_cast<sockaddr*>(message.msg_name);
  native.namelen = static_cast<INT>(message.msg_namelen);
  native.lpBuffers = buffers;
  native.dwBufferCount = ToBuffers(message, buffers);
  native.Control.buf = static_cast<char*>(message.msg_control);
  native.Control.len = static_cast<ULONG>(message.msg_controllen);
  native.dwFlags = static_cast<DWORD>(flags);
  return native;
}

// A datagram that did not fit: Windows tells neither its length nor how much of it is there, which
// is all that the buffers hold.
int Received(int fd, int result, DWORD bytes, msghdr* message) {
  if (result == 0) return static_cast<int>(bytes);
  if (WSAGetLastError() != WSAEMSGSIZE) return ErrorOfReceive(fd);
  message->msg_flags |= MSG_TRUNC;
  return static_cast<int>(TotalBytes(*message));
}

int ReceivePlain(int fd, msghdr* message, int flags) {
  WSABUF buffers[kMostVectors];
  const DWORD count = ToBuffers(*message, buffers);
  auto native_flags = static_cast<DWORD>(flags);
  auto name_bytes = static_cast<INT>(message->msg_namelen);
  DWORD bytes = 0;
  const int result =
      WSARecvFrom(ToSocket(fd), buffers, count, &bytes, &native_flags,
                  static_cast<sockaddr*>(message->msg_name), &name_bytes, nullptr, nullptr);
  message->msg_namelen = static_cast<socklen_t>(name_bytes);
  message->msg_flags = 0;
  return Received(fd, result, bytes, message);
}

int ReceiveWithControl(int fd, msghdr* message, int flags) {
  const LPFN_WSARECVMSG call = ReceiveCall(fd);
  if (call == nullptr) return ErrorOf(fd);
  WSABUF buffers[kMostVectors];
  WSAMSG native = ToNative(*message, buffers, flags);
  DWORD bytes = 0;
  const int result = call(ToSocket(fd), &native, &bytes, nullptr, nullptr);
  message->msg_namelen = static_cast<socklen_t>(native.namelen);
  message->msg_controllen = native.Control.len;
  message->msg_flags = static_cast<int>(native.dwFlags & (MSG_TRUNC | MSG_CTRUNC));
  return Received(fd, result, bytes, message);
}

}  // namespace

DWORD ToBuffers(const msghdr& message, WSABUF (&buffers)[kMostVectors]) {
  const size_t count = std::min(message.msg_iovlen, kMostVectors);
  for (size_t i = 0; i < count; i++) {
    const iovec& vector = message.msg_iov[i];
    buffers[i].buf = static_cast<char*>(vector.iov_base);
    buffers[i].len = static_cast<ULONG>(std::min<size_t>(vector.iov_len, INT_MAX));
  }
  return static_cast<DWORD>(count);
}

int ErrorOfReceive(int fd) {
  const int error = ErrorOf(fd);
  return error == -ECONNRESET && IsDatagram(fd) ? -ECONNREFUSED : error;
}

int ErrorOfSend(int fd, bool has_name) {
  const int error = ErrorOf(fd);
  if (has_name || (error != -ENOTCONN && error != -EINVAL) || !IsDatagram(fd)) return error;
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  const bool has_peer = getpeername(ToSocket(fd), reinterpret_cast<sockaddr*>(&peer), &length) == 0;
  return has_peer ? error : -EDESTADDRREQ;
}

int Recvmsg(int fd, msghdr* message, int flags) {
  CountCall(Syscall::kRecvmsg);
  return message->msg_control == nullptr ? ReceivePlain(fd, message, flags)
                                         : ReceiveWithControl(fd, message, flags);
}

int Sendmsg(int fd, const msghdr* message, int flags) {
  CountCall(Syscall::kSendmsg);
  if (MayBePipe()) {
    if (const auto pipe = PipeSend(fd, message->msg_iov, message->msg_iovlen)) return *pipe;
  }
  WSABUF buffers[kMostVectors];
  WSAMSG native = ToNative(*message, buffers, 0);
  const auto native_flags = static_cast<DWORD>(flags);
  DWORD sent = 0;
  int result = 0;
  if (message->msg_control != nullptr) {
    result = WSASendMsg(ToSocket(fd), &native, native_flags, &sent, nullptr, nullptr);
  } else if (message->msg_name != nullptr) {
    result = WSASendTo(ToSocket(fd), buffers, native.dwBufferCount, &sent, native_flags,
                       native.name, native.namelen, nullptr, nullptr);
  } else {
    const DWORD count = TrimToSend(buffers, native.dwBufferCount);
    result = WSASend(ToSocket(fd), buffers, count, &sent, native_flags, nullptr, nullptr);
  }
  return result == 0 ? static_cast<int>(sent) : ErrorOfSend(fd, message->msg_name != nullptr);
}

// Windows has no batch calls: datagrams.cc has a loop.
int Sendmmsg(int /*fd*/, BatchMessage* /*messages*/, unsigned /*count*/, int /*flags*/) {
  return -ENOSYS;
}
int Recvmmsg(int /*fd*/, BatchMessage* /*messages*/, unsigned /*count*/, int /*flags*/) {
  return -ENOSYS;
}

}  // namespace tripoll::os
