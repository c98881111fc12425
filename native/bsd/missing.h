// What macOS lacks and the BSDs have, given a value of our own so that callers need not ask. The
// only such file; os_calls.cc makes them work.
#ifndef TRIPOLL_BSD_MISSING_H_
#define TRIPOLL_BSD_MISSING_H_

#include <sys/socket.h>

// As FreeBSD's sys/socket.h has them. os_calls.cc takes them out of a socket's type, and sets the
// flags when the socket is there: in between, a fork in another thread would inherit it.
#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0x10000000
#define SOCK_NONBLOCK 0x20000000
#define TRIPOLL_FLAGS_AFTER_BIRTH
#endif

#endif  // TRIPOLL_BSD_MISSING_H_
