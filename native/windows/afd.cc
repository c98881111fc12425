#include "windows/afd.h"

#include "syscall_counts.h"
#include "windows/win_error.h"

#include "os_errno.h"

// The DDK's, not the SDK's (ntifs.h).
extern "C" NTSTATUS NTAPI NtCancelIoFileEx(HANDLE file, PIO_STATUS_BLOCK request,
                                           PIO_STATUS_BLOCK status);

namespace tripoll {

namespace {

constexpr ULONG kIoctlAfdPoll = 0x00012024;

constexpr LONG kStatusSuccess = 0;
constexpr LONG kStatusPending = 0x00000103;
constexpr LONG kStatusNotFound = static_cast<LONG>(0xC0000225);

// Any name below \Device\Afd opens the driver.
constexpr wchar_t kDeviceName[] = L"\\Device\\Afd\\Tripoll";

}  // namespace

int OpenAfd(HANDLE port, HANDLE* afd) {
  UNICODE_STRING name{};
  name.Buffer = const_cast<wchar_t*>(kDeviceName);
  name.Length = static_cast<USHORT>(sizeof kDeviceName - sizeof(wchar_t));
  name.MaximumLength = static_cast<USHORT>(sizeof kDeviceName);
  OBJECT_ATTRIBUTES attributes{};
  attributes.Length = sizeof attributes;
  attributes.ObjectName = &name;
  IO_STATUS_BLOCK status{};
  HANDLE handle = nullptr;
  const NTSTATUS opened =
      NtCreateFile(&handle, SYNCHRONIZE, &attributes, &status, nullptr, 0,
                   FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, nullptr, 0);
  if (opened != kStatusSuccess) return FromNtStatus(opened);
  // Not FILE_SKIP_COMPLETION_PORT_ON_SUCCESS: every poll has its packet, at once or later, so there
  // is one way that events come (T35).
  if (CreateIoCompletionPort(handle, port, 0, 0) == nullptr ||
      SetFileCompletionNotificationModes(handle, FILE_SKIP_SET_EVENT_ON_HANDLE) == 0) {
    const int error = FromWinError(GetLastError());
    CloseAfd(handle);
    return error;
  }
  *afd = handle;
  return 0;
}

void CloseAfd(HANDLE afd) { CloseHandle(afd); }

int StartAfdPoll(HANDLE afd, SOCKET base, uint32_t events, uintptr_t context, AfdPoll* poll) {
  CountCall(Syscall::kAfdPoll);
  poll->status = {};
  poll->status.Status = kStatusPending;
  poll->info.timeout.QuadPart = INT64_MAX;
  poll->info.count = 1;
  poll->info.exclusive = 0;
  poll->info.handles[0] = {reinterpret_cast<HANDLE>(base), events, 0};
  const NTSTATUS started = NtDeviceIoControlFile(
      afd, nullptr, nullptr, reinterpret_cast<void*>(context), &poll->status, kIoctlAfdPoll,
      &poll->info, sizeof poll->info, &poll->info, sizeof poll->info);
  return started == kStatusSuccess || started == kStatusPending ? 0 : FromNtStatus(started);
}

int CancelAfdPoll(HANDLE afd, AfdPoll* poll) {
  CountCall(Syscall::kCancelAfdPoll);
  IO_STATUS_BLOCK cancelled{};
  const NTSTATUS status = NtCancelIoFileEx(afd, &poll->status, &cancelled);
  return status == kStatusSuccess || status == kStatusNotFound ? 0 : FromNtStatus(status);
}

uint32_t AfdEvents(const AfdPoll& poll) {
  if (poll.status.Status != kStatusSuccess || poll.info.count < 1) return 0;
  return poll.info.handles[0].events;
}

}  // namespace tripoll
