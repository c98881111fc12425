// The calls of a completion port that a poller makes, behind one door, as os_calls.h is on Unix: a
// native test links a twin of it.
#ifndef TRIPOLL_WINDOWS_PORT_CALLS_H_
#define TRIPOLL_WINDOWS_PORT_CALLS_H_

#include <cstdint>

#include "windows/windows_headers.h"

namespace tripoll {

// How long the end of a port waits for what it has cancelled, which comes within microseconds.
constexpr int64_t kMostDrainNs = 2'000'000'000;

}  // namespace tripoll

namespace tripoll::os {

// 0 or -errno.
int CreatePort(HANDLE* port);
int PostPacket(HANDLE port, ULONG_PTR key);

// 0 or a code of Windows, WAIT_TIMEOUT among them. *count is what the system leaves there, which
// after a failure is 1 all the same (T36).
DWORD WaitForPackets(HANDLE port, OVERLAPPED_ENTRY* entries, ULONG room, DWORD wait_ms,
                     ULONG* count);

}  // namespace tripoll::os

#endif  // TRIPOLL_WINDOWS_PORT_CALLS_H_
