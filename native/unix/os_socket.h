// The types and constants of this system's socket calls. native/windows has a file of the same
// name.
#ifndef TRIPOLL_UNIX_OS_SOCKET_H_
#define TRIPOLL_UNIX_OS_SOCKET_H_

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

// macOS has no such flag: its sockets have SO_NOSIGPIPE instead (bsd/os_calls.cc).
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#endif  // TRIPOLL_UNIX_OS_SOCKET_H_
