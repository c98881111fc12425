// The ancillary function driver, which every socket of Windows is a handle of: its poll is what
// select() is made of. It is not in the SDK's headers; the layouts are those that wepoll, mio and
// libuv use, and that Windows has had since 2000.
#ifndef TRIPOLL_WINDOWS_AFD_H_
#define TRIPOLL_WINDOWS_AFD_H_

#include <cstdint>

#include "windows/windows_headers.h"

namespace tripoll {

enum AfdEvent : uint32_t {
  kAfdReceive = 0x0001,
  kAfdReceiveExpedited = 0x0002,
  kAfdSend = 0x0004,
  kAfdDisconnect = 0x0008,
  kAfdAbort = 0x0010,
  kAfdLocalClose = 0x0020,
  kAfdAccept = 0x0080,
  kAfdConnectFail = 0x0100,
};

struct AfdPollHandle {
  HANDLE handle;
  ULONG events;
  LONG status;
};

struct AfdPollInfo {
  LARGE_INTEGER timeout;
  ULONG count;
  ULONG exclusive;
  AfdPollHandle handles[1];
};
static_assert(sizeof(void*) != 8 || sizeof(AfdPollInfo) == 32, "the layout that the kernel reads");

// One poll in the kernel. SAFETY: the kernel writes into it until its packet has come, so whoever
// owns it keeps it, where it is, until then (T33).
struct AfdPoll {
  IO_STATUS_BLOCK status{};
  AfdPollInfo info{};
};

// Opens a handle of the driver and ties it to the port. 0 or -errno.
int OpenAfd(HANDLE port, HANDLE* afd);
void CloseAfd(HANDLE afd);

// Starts a poll of one base socket. Its packet comes with `context`, also when this finds events at
// once. 0 or -errno; after an error no packet comes.
int StartAfdPoll(HANDLE afd, SOCKET base, uint32_t events, uintptr_t context, AfdPoll* poll);

// 0, also when it was complete already: its packet comes in either case. Else -errno.
int CancelAfdPoll(HANDLE afd, AfdPoll* poll);

// What a complete poll says: its events, 0 when it was cancelled or failed.
uint32_t AfdEvents(const AfdPoll& poll);

using SocketIoctl = int (*)(SOCKET socket, DWORD code, SOCKET* out);

// The socket under the layers that firewalls and the like put on it, which alone AFD knows (T35).
// 0 or -errno. `ioctl` is WSAIoctl but in tests.
int FindBaseSocket(SOCKET socket, SocketIoctl ioctl, SOCKET* base);
int AskSocket(SOCKET socket, DWORD code, SOCKET* out);

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_AFD_H_
