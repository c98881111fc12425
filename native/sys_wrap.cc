// Socket and fd syscalls for JavaScript: integers or a checked Uint8Array in, n or -errno out. The
// hot ones allocate nothing.
#include <algorithm>
#include <climits>

#include "address_wrap.h"
#include "call_wrap.h"
#include "os_errno.h"
#include "socket_calls.h"
#include "syscall_counts.h"

namespace tripoll {

namespace {

// Reading more at once than this would not make a stream cheaper, and libuv's own buffer has this
// size.
constexpr size_t kArenaBytes = size_t{64} * 1024;

int IpVersion(const std::string& address) {
  SocketAddress parsed;
  return ParseAddress({AF_INET, address}, &parsed) == 0    ? 4
         : ParseAddress({AF_INET6, address}, &parsed) == 0 ? 6
                                                           : 0;
}

int Bind(int fd, AddressArgument address) { return os::Bind(fd, address.get(), address.length); }
int Connect(int fd, AddressArgument address) {
  return os::Connect(fd, address.get(), address.length);
}

int Accept4(int fd, Flags flags) {
  return os::Accept4(fd, nullptr, nullptr, static_cast<int>(flags));
}

// Fills the caller's object: { family, address, port, scopeId }.
template <int (*kCall)(int fd, sockaddr* address, socklen_t* length)>
napi_value FillName(napi_env env, int fd, napi_value out) {
  SocketAddress address;
  const int error = kCall(fd, address.get(), &address.length);
  return error < 0 ? ToValue(env, error) : FillAddress(env, out, address);
}

int Received(Environment* environment, int result) {
  return environment->counts.Read(environment->counts.Called(Syscall::kRecv, result));
}
int Sent(Environment* environment, int result) {
  return environment->counts.Written(environment->counts.Called(Syscall::kSend, result));
}

int Recv(Environment* environment, int fd, Part to, Flags flags) {
  const int result = environment->counts.Called(
      Syscall::kRecv, os::Recv(fd, to.data, to.length, static_cast<int>(flags)));
  // What was only looked at is read again.
  return (flags.word & MSG_PEEK) != 0 ? result : environment->counts.Read(result);
}
int Send(Environment* environment, int fd, Part from, Flags flags) {
  // A peer that has gone is an EPIPE, never a signal (T43).
  return Sent(environment,
              os::Send(fd, from.data, from.length, static_cast<int>(flags) | MSG_NOSIGNAL));
}
int Read(Environment* environment, int fd, Part to) {
  return environment->counts.Read(os::Read(fd, to.data, to.length));
}
int Write(Environment* environment, int fd, Part from) {
  return environment->counts.Written(os::Write(fd, from.data, from.length));
}

// [Uint8Array, ...], offset into the first, count: the array may be longer than count.
struct Vectors {
  static constexpr size_t kArguments = 3;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): `count` says how many of `list` are set
  Vectors() {}
  bool Read(const Args* args, size_t at);
  bool ReadElements(napi_env env, napi_value array, uint32_t offset);

  iovec list[kMostVectors];
  uint32_t count = 0;
};

bool Vectors::Read(const Args* args, size_t at) {
  const napi_env env = args->env();
  napi_value array = (*args)[at];
  bool is_array = false;
  uint32_t length = 0;
  uint32_t offset = 0;
  if (napi_is_array(env, array, &is_array) != napi_ok || !is_array ||
      napi_get_array_length(env, array, &length) != napi_ok) {
    ThrowType(env, "expected an array of Uint8Arrays");
    return false;
  }
  if (!args->Uint32(at + 1, &offset) || !args->Uint32(at + 2, &count)) return false;
  count = std::min({count, length, static_cast<uint32_t>(kMostVectors)});
  return ReadElements(env, array, offset);
}

bool Vectors::ReadElements(napi_env env, napi_value array, uint32_t offset) {
  // All elements before any memory: an element may be a getter, and that may detach an earlier one.
  napi_value elements[kMostVectors];
  for (uint32_t i = 0; i < count; i++) {
    if (napi_get_element(env, array, i, &elements[i]) != napi_ok) return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_typedarray_type type{};
    void* data = nullptr;
    size_t bytes = 0;
    if (napi_get_typedarray_info(env, elements[i], &type, &bytes, &data, nullptr, nullptr) !=
            napi_ok ||
        type != napi_uint8_array) {
      ThrowType(env, "expected an array of Uint8Arrays");
      return false;
    }
    if (i == 0 && offset > bytes) {
      ThrowRange(env, "offset reaches past the end of the first Uint8Array");
      return false;
    }
    const uint32_t skip = i == 0 ? offset : 0;
    list[i] = {static_cast<uint8_t*>(data) + skip, bytes - skip};
  }
  return true;
}

int Writev(Environment* environment, int fd, const Vectors& from) {
  return environment->counts.Written(os::Writev(fd, from.list, static_cast<int>(from.count)));
}

// writev for a socket: the same, and without SIGPIPE (T43).
int Sendv(Environment* environment, int fd, Vectors& from) {
  msghdr message{};
  message.msg_iov = from.list;
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(from.count);  // int on the BSDs
  return environment->counts.Written(os::Sendmsg(fd, &message, kSendFlags));
}

// A new arena for this environment, as an ArrayBuffer that RecvArena fills and SendArena sends
// from.
napi_value ArenaCreate(napi_env env, Environment* environment) {
  SharedBlock* block = SharedBlock::Create(kArenaBytes);
  if (block == nullptr) return ToValue(env, -ENOMEM);
  napi_value buffer = ToArrayBuffer(env, block);
  if (buffer == nullptr) {
    block->Release();
    return ToValue(env, -ENOTSUP);
  }
  if (environment->arena != nullptr) environment->arena->Release();
  environment->arena = block;
  return buffer;
}

// The whole of a buffer, which spares a hot call three arguments.
int RecvInto(Environment* environment, int fd, Span to) {
  return Received(environment, os::Recv(fd, to.data, to.length, MSG_DONTWAIT));
}
int SendFrom(Environment* environment, int fd, Span from) {
  return Sent(environment, os::Send(fd, from.data, from.length, kSendFlags));
}

int RecvArena(Environment* environment, int fd) {
  SharedBlock* arena = environment->arena;
  if (arena == nullptr) return -ENOBUFS;
  return Received(environment, os::Recv(fd, arena->data(), arena->bytes(), MSG_DONTWAIT));
}

napi_value SendArena(napi_env env, Environment* environment, int fd, uint32_t length) {
  SharedBlock* arena = environment->arena;
  if (arena == nullptr) return ToValue(env, -ENOBUFS);
  if (length > arena->bytes()) return ThrowRange(env, "length reaches past the end of the arena");
  return ToValue(env, Sent(environment, os::Send(fd, arena->data(), length, kSendFlags)));
}

int Fcntl(Environment* environment, int fd, int command, Flags argument) {
  const bool duplicates = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
  // Commands that take a pointer would read the integer as one.
  if (!duplicates && command != F_GETFD && command != F_SETFD && command != F_GETFL &&
      command != F_SETFL) {
    return -EINVAL;
  }
  const int result = os::Fcntl(fd, command, static_cast<int>(argument));
  if (duplicates && result >= 0) environment->fds.Insert(result);
  return result;
}

// The caller's array, which is to get two fds.
struct PairArgument {
  bool Read(const Args* args, size_t at);
  bool FillElement(uint32_t index, int fd) const;
  napi_value Fill(int error, const int fds[2]) const;

  napi_env env = nullptr;
  Environment* environment = nullptr;
  napi_value array = nullptr;
};

bool PairArgument::Read(const Args* args, size_t at) {
  *this = {args->env(), args->environment(), (*args)[at]};
  bool is_array = false;
  if (napi_is_array(env, array, &is_array) == napi_ok && is_array) return true;
  ThrowType(env, "expected an array to fill");
  return false;
}

// Whether the array took the number: a frozen one refuses it without a word.
bool PairArgument::FillElement(uint32_t index, int fd) const {
  napi_value number = ToValue(env, fd);
  napi_value taken = nullptr;
  bool same = false;
  return number != nullptr && napi_set_element(env, array, index, number) == napi_ok &&
         napi_get_element(env, array, index, &taken) == napi_ok &&
         napi_strict_equals(env, taken, number, &same) == napi_ok && same;
}

// Where the array does not take the fds nobody would know them.
napi_value PairArgument::Fill(int error, const int fds[2]) const {
  if (error < 0) return ToValue(env, error);
  for (int i = 0; i < 2; i++) environment->fds.Insert(fds[i]);
  if (FillElement(0, fds[0]) && FillElement(1, fds[1])) return ToValue(env, 0);
  for (int i = 0; i < 2; i++) {
    // Not one that a setter of the caller's has closed already.
    if (environment->fds.Remove(fds[i])) static_cast<void>(os::Close(fds[i]));
  }
  // Where a setter threw, that exception is pending and stays.
  return ThrowType(env, "expected an array that can be filled");
}

napi_value Pipe2(Flags flags, PairArgument out) {
  int fds[2];
  const int error = os::Pipe2(fds, static_cast<int>(flags));
  return out.Fill(error, fds);
}

napi_value Socketpair(int domain, Flags type, int protocol, PairArgument out) {
  int fds[2];
  const int error = os::Socketpair(domain, static_cast<int>(type), protocol, fds);
  return out.Fill(error, fds);
}

int Close(Environment* environment, int fd) {
  environment->fds.Remove(fd);
  const int error = os::Close(fd);
  // EINTR has closed: another try could close a stranger's fd (T42).
  return error == -EINTR ? 0 : error;
}

// The number is a stranger's by now: its user closed it behind us. Nobody closes it here any more.
int DisownFd(Environment* environment, int fd) {
  environment->fds.Remove(fd);
  return 0;
}

// An fd that was opened elsewhere and given to us: ours to close from now on.
int OwnFd(Environment* environment, int fd) {
  // Also keeps the table from growing to a number that cannot be an fd.
  const int flags = os::Fcntl(fd, F_GETFD, 0);
  if (flags < 0) return flags;
  environment->fds.Insert(fd);
  return 0;
}

int Setsockopt(int fd, int level, int name, Span value) {
  return os::Setsockopt(fd, level, name, value.data, static_cast<socklen_t>(value.length));
}

int Getsockopt(int fd, int level, int name, Span out) {
  auto length = static_cast<socklen_t>(out.length);
  const int error = os::Getsockopt(fd, level, name, out.data, &length);
  return error < 0 ? error : static_cast<int>(length);
}

// The common integer option, without a buffer.
int SetsockoptInt(int fd, int level, int name, Flags flags) {
  const int value = static_cast<int>(flags);
  return os::Setsockopt(fd, level, name, &value, sizeof value);
}

// The error that a socket holds (SO_ERROR), which reading clears: 0, or -errno.
int TakeSocketError(int fd) {
  int value = 0;
  socklen_t length = sizeof value;
  const int error = os::Getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length);
  return error < 0 ? error : -value;
}

// Fills the caller's object with what this thread has done so far: the number of calls of each kind
// that it has made, and the bytes.
napi_value FillSyscallCounts(napi_env env, Environment* environment, napi_value out) {
  const SyscallCounts& own = environment->counts;
  const SyscallCounts& others = CountsOfThread();
  const auto set = [env, out](const char* name, uint64_t count) {
    return SetNumber(env, out, name, static_cast<double>(count));
  };
  // Where there is no object to fill, this fails already.
  bool filled = set("bytesRead", own.bytes_read + others.bytes_read) &&
                set("bytesWritten", own.bytes_written + others.bytes_written);
  for (int kind = 0; filled && kind < kSyscallKinds; kind++) {
    const uint64_t made = own.calls[kind] + others.calls[kind];
    if (made > 0) filled = set(NameOf(static_cast<Syscall>(kind)), made);
  }
  return filled ? ToValue(env, 0) : ThrowType(env, "expected an object to fill");
}

const Export kExports[] = {
    {"socket", Open<os::Socket, int, Flags, int>},
    {"ipVersion", Call<IpVersion>},
    {"bind", Call<Bind>},
    {"connect", Call<Connect>},
    {"listen", Call<os::Listen>},
    {"accept4", Open<Accept4>},
    {"getsockname", Call<FillName<os::Getsockname>>},
    {"getpeername", Call<FillName<os::Getpeername>>},
    {"recv", Call<Recv>},
    {"send", Call<Send>},
    {"read", Call<Read>},
    {"write", Call<Write>},
    {"writev", Call<Writev>},
    {"sendv", Call<Sendv>},
    {"arenaCreate", Call<ArenaCreate>},
    {"recvInto", Call<RecvInto>},
    {"sendFrom", Call<SendFrom>},
    {"recvArena", Call<RecvArena>},
    {"sendArena", Call<SendArena>},
    {"fcntl", Call<Fcntl>},
    {"pipe2", Call<Pipe2>},
    {"socketpair", Call<Socketpair>},
    {"shutdown", Call<os::Shutdown>},
    {"close", Call<Close>},
    {"disownFd", Call<DisownFd>},
    {"ownFd", Call<OwnFd>},
    {"setsockopt", Call<Setsockopt>},
    {"getsockopt", Call<Getsockopt>},
    {"setsockoptInt", Call<SetsockoptInt>},
    {"takeSocketError", Call<TakeSocketError>},
    {"syscallCounts", Call<FillSyscallCounts>},
};

}  // namespace

void ExportSys(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
