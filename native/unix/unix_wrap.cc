// Messages with addresses of any family and with fds, for JavaScript. Addresses are the system's
// own bytes (struct sockaddr), numbers are 32-bit words in the caller's Uint8Array.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "address_wrap.h"
#include "call_wrap.h"
#include "os_calls.h"
#include "syscall_counts.h"
#include "unix/messages.h"

namespace tripoll {

namespace {

constexpr size_t kWord = sizeof(int32_t);
// Words of a control block before its fds: flags, fds kept, fds closed, length of the name.
constexpr size_t kControlWords = 4;

// Fills the caller's control block. The fds are the environment's from here on: closed at its end,
// if by then they are nobody's (T50).
int ReceiveInto(Environment* environment, int fd, Span buffer, Span name, int flags, Span control) {
  const size_t words = control.length / kWord;
  if (words < kControlWords) return -EINVAL;
  ReceivedMessage received;
  const int capacity = static_cast<int>(std::min<size_t>(words - kControlWords, kMostFds));
  const int result = ReceiveMessage(fd, buffer, name, flags, capacity, &received);
  if (result < 0) return result;
  const int32_t head[kControlWords] = {received.flags, received.fd_count, received.closed_count,
                                       static_cast<int32_t>(received.name_length)};
  std::memcpy(control.data, head, sizeof head);
  for (int i = 0; i < received.fd_count; i++) environment->fds.Insert(received.fds[i]);
  if (received.fd_count > 0) {
    std::memcpy(control.data + sizeof head, received.fds,
                kWord * static_cast<size_t>(received.fd_count));
  }
  return environment->counts.Read(result);
}

int RecvMessage(Environment* environment, int fd, Span to, Flags flags, Span control, Span name) {
  return ReceiveInto(environment, fd, to, name, static_cast<int>(flags), control);
}

int RecvMessageArena(Environment* environment, int fd, Span control) {
  SharedBlock* arena = environment->arena;
  if (arena == nullptr) return -ENOBUFS;
  return ReceiveInto(environment, fd, {arena->data(), arena->bytes()}, {}, 0, control);
}

// The fds are words.
int SendMessageWithFds(int fd, Part from, Span words, Span name) {
  int fds[kMostFds];
  const size_t count = words.length / kWord;
  if (count > kMostFds) return -EINVAL;
  if (count > 0) std::memcpy(fds, words.data, count * kWord);
  return CountsOfThread().Written(SendMessage(fd, from, name, fds, static_cast<int>(count)));
}

// Opens what is there; an fd.
int OpenFile(Span path, Flags flags) {
  // A copy ends with the NUL that the call needs, and one within it would hide the rest.
  const std::string text(reinterpret_cast<const char*>(path.data), path.length);
  if (text.find('\0') != std::string::npos) return -EINVAL;
  return os::OpenFile(text.c_str(), static_cast<int>(flags) & ~O_CREAT);
}

// Whether poll(2) tells that a socket has an error.
int PollTellsErrors() { return os::FactsOfPoll().tells_errors ? 1 : 0; }

const Export kExports[] = {
    {"pollTellsErrors", Call<PollTellsErrors>},
    {"openFile", Open<OpenFile>},
    {"fchmod", Call<os::Fchmod>},
    {"recvMessage", Call<RecvMessage>},
    {"recvMessageArena", Call<RecvMessageArena>},
    {"sendMessage", Call<SendMessageWithFds>},
};

}  // namespace

void ExportMessages(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
