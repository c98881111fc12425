#include "windows/port_calls.h"

#include "syscall_counts.h"
#include "windows/win_error.h"

namespace tripoll::os {

int CreatePort(HANDLE* port) {
  // One thread at a time waits.
  *port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
  return *port != nullptr ? 0 : FromWinError(GetLastError());
}

int PostPacket(HANDLE port, ULONG_PTR key) {
  CountCall(Syscall::kPostQueuedCompletionStatus);
  return PostQueuedCompletionStatus(port, 0, key, nullptr) != 0 ? 0 : FromWinError(GetLastError());
}

DWORD WaitForPackets(HANDLE port, OVERLAPPED_ENTRY* entries, ULONG room, DWORD wait_ms,
                     ULONG* count) {
  CountCall(Syscall::kGetQueuedCompletionStatus);
  const BOOL ok = GetQueuedCompletionStatusEx(port, entries, room, count, wait_ms, FALSE);
  return ok != 0 ? 0 : GetLastError();
}

}  // namespace tripoll::os
