#include "windows/socket_files.h"

#include <cstring>

#include "socket_calls.h"
#include "windows/net.h"
#include "windows/wide_text.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// IO_REPARSE_TAG_AF_UNIX of newer ntifs.h.
constexpr DWORD kUnixSocketTag = 0x80000023;

static_assert(sizeof(FILE_ID_INFO) == kFileIdBytes, "a file's id is passed on as its bytes");

int Ask(HANDLE file, uint8_t (&id)[kFileIdBytes]) {
  FILE_ATTRIBUTE_TAG_INFO tag{};
  if (GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof tag) == 0)
    return FromWinError(GetLastError());
  if ((tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0 || tag.ReparseTag != kUnixSocketTag)
    return -ENOTSOCK;
  return GetFileInformationByHandleEx(file, FileIdInfo, id, kFileIdBytes) != 0
             ? 0
             : FromWinError(GetLastError());
}

}  // namespace

int FindSocketFile(const std::string& path, uint8_t (&id)[kFileIdBytes]) {
  const std::wstring wide = ToWide(path);
  if (wide.empty()) return -EINVAL;
  // The file itself: without the flag Windows looks for what the reparse point leads to, and there
  // is nothing (ERROR_CANT_ACCESS_FILE, T103).
  const DWORD flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
  const HANDLE file = CreateFileW(wide.c_str(), FILE_READ_ATTRIBUTES,
                                  FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                  OPEN_EXISTING, flags, nullptr);
  if (file == INVALID_HANDLE_VALUE) return FromWinError(GetLastError());
  const int error = Ask(file, id);
  CloseHandle(file);
  return error;
}

int AwaitConnect(int fd, uint32_t timeout_ms) {
  const int error = os::CheckSocket(fd);
  if (error < 0) return error;
  // Not WSAPoll: before Windows 10 2004 it did not tell that a connect has failed.
  fd_set connected{};
  fd_set failed{};
  FD_SET(os::ToSocket(fd), &connected);
  FD_SET(os::ToSocket(fd), &failed);
  timeval timeout{static_cast<long>(timeout_ms / 1000),
                  static_cast<long>(timeout_ms % 1000 * 1000)};
  const int count = select(0, nullptr, &connected, &failed, &timeout);
  if (count == SOCKET_ERROR) return os::ErrorOf(fd);
  if (count == 0) return -ETIMEDOUT;
  int reason = 0;
  socklen_t length = sizeof reason;
  const int asked = os::Getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length);
  return asked < 0 ? asked : -reason;
}

}  // namespace tripoll
