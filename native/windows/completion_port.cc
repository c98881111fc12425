#include "windows/completion_port.h"

#include <algorithm>

#include "steady_time.h"
#include "windows/port_calls.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

namespace {

constexpr DWORD kAddressBytes = sizeof(sockaddr_storage) + 16;

DWORD Clamp(size_t length) { return static_cast<DWORD>(std::min<size_t>(length, INT32_MAX)); }

SOCKET AsSocket(HANDLE handle) { return reinterpret_cast<SOCKET>(handle); }

uint32_t SocketCode() { return static_cast<uint32_t>(WSAGetLastError()); }

// The provider's own function, which ConnectEx and AcceptEx are reached by.
template <typename T>
T FindExtension(SOCKET socket, GUID id) {
  T function = nullptr;
  DWORD bytes = 0;
  if (WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function,
               sizeof function, &bytes, nullptr, nullptr) != 0)
    return nullptr;
  return function;
}

// ConnectEx wants a socket that is bound; one that is bound already says EINVAL.
void BindToAny(SOCKET socket, int family) {
  SocketAddress any;
  any.storage.ss_family = static_cast<ADDRESS_FAMILY>(family);
  any.length = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  static_cast<void>(bind(socket, any.get(), any.length));
}

void SetPosition(OVERLAPPED* overlapped, uint64_t position) {
  overlapped->Offset = static_cast<DWORD>(position);
  overlapped->OffsetHigh = static_cast<DWORD>(position >> 32);
}

}  // namespace

std::unique_ptr<CompletionPort> CompletionPort::Create(uint32_t concurrency, int* error) {
  const HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency);
  if (port == nullptr) {
    *error = FromWinError(GetLastError());
    return nullptr;
  }
  return std::unique_ptr<CompletionPort>(new CompletionPort(port));
}

// SAFETY: the kernel writes into an operation until its packet has come: none is freed before
// (T33).
CompletionPort::~CompletionPort() {
  for (const auto& entry : operations_)
    static_cast<void>(CancelIoEx(entry.second->handle, &entry.second->overlapped));
  const int64_t until_ns = NowNs() + kMostDrainNs;
  while (!operations_.empty() && RemainingNs(until_ns) > 0) {
    Completion ignored[16];
    if (Wait(ignored, 16, ToTimeoutMs(RemainingNs(until_ns))) < 0) break;
  }
  // Better lost than written into when it is another's.
  for (auto& entry : operations_) static_cast<void>(entry.second.release());
  CloseHandle(port_);
}

int CompletionPort::Associate(HANDLE handle, uint64_t key) {
  if (CreateIoCompletionPort(handle, port_, static_cast<ULONG_PTR>(key), 0) == nullptr)
    return FromWinError(GetLastError());
  associated_.insert(handle);
  return 0;
}

int CompletionPort::Post(uint32_t bytes, uint64_t key) {
  const BOOL ok = PostQueuedCompletionStatus(port_, bytes, static_cast<ULONG_PTR>(key), nullptr);
  return ok != 0 ? 0 : FromWinError(GetLastError());
}

int CompletionPort::Wait(Completion* out, size_t capacity, int timeout_ms) {
  OVERLAPPED_ENTRY entries[kMostPackets];
  const auto room = static_cast<ULONG>(std::min(capacity, kMostPackets));
  const DWORD wait_ms = timeout_ms < 0 ? INFINITE : static_cast<DWORD>(timeout_ms);
  ULONG count = 0;
  if (room == 0) return -EINVAL;
  if (GetQueuedCompletionStatusEx(port_, entries, room, &count, wait_ms, FALSE) == 0) {
    // Whatever its count says then (T36).
    const DWORD code = GetLastError();
    return code == WAIT_TIMEOUT ? 0 : FromWinError(code);
  }
  for (ULONG i = 0; i < count; i++) out[i] = Take(entries[i]);
  return static_cast<int>(count);
}

Completion CompletionPort::Take(const OVERLAPPED_ENTRY& entry) {
  Completion completion;
  completion.key = entry.lpCompletionKey;
  completion.bytes = entry.dwNumberOfBytesTransferred;
  const auto found = operations_.find(entry.lpOverlapped);
  if (found == operations_.end()) return completion;
  Operation* operation = found->second.get();
  completion.operation = operation->number;
  const auto status = static_cast<int32_t>(operation->overlapped.Internal);
  if (status < 0) completion.error = FromNtStatus(status);
  if (completion.error == 0) UpdateContext(*operation);
  End(operation);
  return completion;
}

// Without it an accepted or connected socket has no names and cannot be shut down.
void CompletionPort::UpdateContext(const Operation& operation) {
  if (operation.kind == Kind::kAccept) {
    const SOCKET listener = AsSocket(operation.handle);
    static_cast<void>(setsockopt(AsSocket(operation.accepted), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                                 reinterpret_cast<const char*>(&listener), sizeof listener));
  } else if (operation.kind == Kind::kConnect) {
    static_cast<void>(
        setsockopt(AsSocket(operation.handle), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0));
  }
}

int CompletionPort::Begin(HANDLE handle, SharedBlock* block, Operation** operation) {
  // Its packet would go elsewhere, or nowhere, and the operation never end.
  if (associated_.count(handle) == 0) return -EINVAL;
  auto made = std::make_unique<Operation>();
  made->handle = handle;
  made->block = block;
  if (block != nullptr) block->Retain();
  made->number = next_number_;
  next_number_ = next_number_ == INT32_MAX ? 0 : next_number_ + 1;
  *operation = made.get();
  by_number_.emplace(made->number, made.get());
  operations_.emplace(&made->overlapped, std::move(made));
  return 0;
}

// A success has its packet too: nobody asked to skip it.
int CompletionPort::Started(Operation* operation, bool ok, uint32_t code) {
  if (ok || code == ERROR_IO_PENDING) return operation->number;
  End(operation);
  return FromWinError(code);
}

void CompletionPort::End(Operation* operation) {
  if (operation->block != nullptr) operation->block->Release();
  by_number_.erase(operation->number);
  operations_.erase(&operation->overlapped);
}

int CompletionPort::Recv(HANDLE socket, const LentRange& range, uint32_t flags) {
  Operation* operation = nullptr;
  const int error = Begin(socket, range.block, &operation);
  if (error < 0) return error;
  WSABUF buffer{Clamp(range.length), range.data()};
  DWORD in_out_flags = flags;
  const int failed = WSARecv(AsSocket(socket), &buffer, 1, nullptr, &in_out_flags,
                             &operation->overlapped, nullptr);
  return Started(operation, failed == 0, SocketCode());
}

int CompletionPort::Send(HANDLE socket, const LentRange& range, uint32_t flags) {
  Operation* operation = nullptr;
  const int error = Begin(socket, range.block, &operation);
  if (error < 0) return error;
  WSABUF buffer{Clamp(range.length), range.data()};
  const int failed =
      WSASend(AsSocket(socket), &buffer, 1, nullptr, flags, &operation->overlapped, nullptr);
  return Started(operation, failed == 0, SocketCode());
}

int CompletionPort::Accept(HANDLE listener, HANDLE socket) {
  const auto accept_ex = FindExtension<LPFN_ACCEPTEX>(AsSocket(listener), WSAID_ACCEPTEX);
  if (accept_ex == nullptr) return FromWinError(SocketCode());
  Operation* operation = nullptr;
  const int error = Begin(listener, nullptr, &operation);
  if (error < 0) return error;
  operation->kind = Kind::kAccept;
  operation->accepted = socket;
  DWORD bytes = 0;
  const BOOL ok = accept_ex(AsSocket(listener), AsSocket(socket), operation->addresses, 0,
                            kAddressBytes, kAddressBytes, &bytes, &operation->overlapped);
  return Started(operation, ok != 0, SocketCode());
}

int CompletionPort::Connect(HANDLE socket, const SocketAddress& address) {
  const auto connect_ex = FindExtension<LPFN_CONNECTEX>(AsSocket(socket), WSAID_CONNECTEX);
  if (connect_ex == nullptr) return FromWinError(SocketCode());
  Operation* operation = nullptr;
  const int error = Begin(socket, nullptr, &operation);
  if (error < 0) return error;
  BindToAny(AsSocket(socket), address.storage.ss_family);
  operation->kind = Kind::kConnect;
  const auto* name = reinterpret_cast<const sockaddr*>(&address.storage);
  const BOOL ok = connect_ex(AsSocket(socket), name, address.length, nullptr, 0, nullptr,
                             &operation->overlapped);
  return Started(operation, ok != 0, SocketCode());
}

int CompletionPort::Read(HANDLE file, const LentRange& range, uint64_t position) {
  Operation* operation = nullptr;
  const int error = Begin(file, range.block, &operation);
  if (error < 0) return error;
  SetPosition(&operation->overlapped, position);
  const BOOL ok =
      ReadFile(file, range.data(), Clamp(range.length), nullptr, &operation->overlapped);
  return Started(operation, ok != 0, GetLastError());
}

int CompletionPort::Write(HANDLE file, const LentRange& range, uint64_t position) {
  Operation* operation = nullptr;
  const int error = Begin(file, range.block, &operation);
  if (error < 0) return error;
  SetPosition(&operation->overlapped, position);
  const BOOL ok =
      WriteFile(file, range.data(), Clamp(range.length), nullptr, &operation->overlapped);
  return Started(operation, ok != 0, GetLastError());
}

int CompletionPort::ConnectPipe(HANDLE pipe) {
  Operation* operation = nullptr;
  const int error = Begin(pipe, nullptr, &operation);
  if (error < 0) return error;
  const BOOL ok = ConnectNamedPipe(pipe, &operation->overlapped);
  const DWORD code = ok != 0 ? 0 : GetLastError();
  // A client was there first: there is no packet of the system's, so that here is one.
  if (code == ERROR_PIPE_CONNECTED) {
    if (PostQueuedCompletionStatus(port_, 0, 0, &operation->overlapped) == 0)
      return Started(operation, false, GetLastError());
    return operation->number;
  }
  return Started(operation, ok != 0, code);
}

int CompletionPort::Cancel(int32_t number) {
  const auto found = by_number_.find(number);
  if (found == by_number_.end()) return -ENOENT;
  Operation* operation = found->second;
  if (CancelIoEx(operation->handle, &operation->overlapped) != 0) return 0;
  return FromWinError(GetLastError());
}

}  // namespace tripoll
