// The Windows headers, in the one order that works: winsock2 before windows.
#ifndef TRIPOLL_WINDOWS_WINDOWS_HEADERS_H_
#define TRIPOLL_WINDOWS_WINDOWS_HEADERS_H_

// clang-format off: the order matters
#include <winsock2.h>

#include <mswsock.h>
#include <windows.h>
#include <winternl.h>
#include <ws2tcpip.h>
// clang-format on

#endif  // TRIPOLL_WINDOWS_WINDOWS_HEADERS_H_
