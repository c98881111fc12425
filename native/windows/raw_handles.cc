#include "windows/raw_handles.h"

#include "windows/wide_text.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// Of each direction of a pipe, as libuv has it.
constexpr DWORD kPipeBufferBytes = 65536;

}  // namespace

RawHandles::~RawHandles() {
  for (const HANDLE handle : owned_) CloseHandle(handle);
}

int RawHandles::Own(HANDLE handle) {
  if (handle == INVALID_HANDLE_VALUE) return FromWinError(GetLastError());
  const auto number = reinterpret_cast<intptr_t>(handle);
  if (number <= 0 || number > INT32_MAX) {
    CloseHandle(handle);
    return -EMFILE;
  }
  owned_.insert(handle);
  return static_cast<int>(number);
}

int RawHandles::CreatePipe(const std::string& name, uint32_t most) {
  const std::wstring wide = ToWide(name);
  if (wide.empty()) return -EINVAL;
  // Not for other machines: a named pipe is a network service unless it says otherwise.
  const DWORD mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
  return Own(CreateNamedPipeW(wide.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, mode, most,
                              kPipeBufferBytes, kPipeBufferBytes, 0, nullptr));
}

int RawHandles::OpenFile(const std::string& name, uint32_t access, uint32_t disposition) {
  const std::wstring wide = ToWide(name);
  if (wide.empty()) return -EINVAL;
  // A pipe's server must not act in our name.
  const DWORD flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
  return Own(CreateFileW(wide.c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
                         disposition, flags, nullptr));
}

int RawHandles::Close(HANDLE handle) {
  if (owned_.erase(handle) == 0) return -EBADF;
  return CloseHandle(handle) != 0 ? 0 : FromWinError(GetLastError());
}

}  // namespace tripoll
