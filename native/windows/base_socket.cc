#include "windows/afd.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// mswsock.h and ws2ipdef.h have them, depending on who wrote the headers and when.
constexpr DWORD kSioBaseHandle = 0x48000022;
constexpr DWORD kSioBspHandle = 0x4800001B;
constexpr DWORD kSioBspHandleSelect = 0x4800001C;
constexpr DWORD kSioBspHandlePoll = 0x4800001D;

}  // namespace

int AskSocket(SOCKET socket, DWORD code, SOCKET* out) {
  DWORD bytes = 0;
  if (WSAIoctl(socket, code, nullptr, 0, out, sizeof *out, &bytes, nullptr, nullptr) == 0) return 0;
  return FromWinError(static_cast<uint32_t>(WSAGetLastError()));
}

int FindBaseSocket(SOCKET socket, SocketIoctl ioctl, SOCKET* base) {
  *base = INVALID_SOCKET;
  const int error = ioctl(socket, kSioBaseHandle, base);
  if (error == 0 || error == -ENOTSOCK) return error;
  // A layer that hides its base by refusing that, as some do, cannot refuse these without breaking
  // select() and WSAPoll(); a layer that answers with itself has not helped.
  for (const DWORD code : {kSioBspHandleSelect, kSioBspHandlePoll, kSioBspHandle}) {
    if (ioctl(socket, code, base) == 0 && *base != socket) return 0;
  }
  return error;
}

}  // namespace tripoll
