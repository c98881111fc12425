#ifndef TRIPOLL_WINDOWS_WIN_ERROR_H_
#define TRIPOLL_WINDOWS_WIN_ERROR_H_

#include <cstdint>

namespace tripoll {

// The negative errno for a code of Windows or Winsock (GetLastError, WSAGetLastError), which are
// one numbering. What it does not know becomes -EIO. 0 stays 0. The code itself is kept for the
// message: see TakeWinError.
int FromWinError(uint32_t code);

// The same for an NTSTATUS.
int FromNtStatus(int32_t status);

// The last code of this thread that FromWinError was given, once; 0 when there is none.
uint32_t TakeWinError();

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_WIN_ERROR_H_
