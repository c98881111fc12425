#include "constants.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "bsd/missing.h"
#include "os_calls.h"

namespace tripoll {

// clang-format off: a constant a line, so that a diff shows which came or went.
const Constant kConstants[] = {
    {"AF_INET", AF_INET},
    {"AF_INET6", AF_INET6},
    {"AF_UNIX", AF_UNIX},
    {"AF_UNSPEC", AF_UNSPEC},
    {"SOCK_STREAM", SOCK_STREAM},
    {"SOCK_DGRAM", SOCK_DGRAM},
    {"SOCK_SEQPACKET", SOCK_SEQPACKET},
    {"SOCKADDR_FAMILY_OFFSET", offsetof(sockaddr, sa_family)},
    {"SOCKADDR_FAMILY_BYTES", sizeof(sockaddr::sa_family)},
    {"SUN_PATH_OFFSET", offsetof(sockaddr_un, sun_path)},
    {"SUN_PATH_BYTES", sizeof(sockaddr_un::sun_path)},
    {"SOCKADDR_STORAGE_BYTES", sizeof(sockaddr_storage)},
    {"SOCK_RAW", SOCK_RAW},
    {"SOCK_NONBLOCK", SOCK_NONBLOCK},
    {"SOCK_CLOEXEC", SOCK_CLOEXEC},
    {"SHUT_RD", SHUT_RD},
    {"SHUT_WR", SHUT_WR},
    {"SHUT_RDWR", SHUT_RDWR},
    {"MSG_PEEK", MSG_PEEK},
    {"MSG_OOB", MSG_OOB},
    {"MSG_DONTWAIT", MSG_DONTWAIT},
#ifdef MSG_EOF
    {"MSG_EOF", MSG_EOF},
#endif
    {"MSG_NOSIGNAL", MSG_NOSIGNAL},
    {"MSG_WAITALL", MSG_WAITALL},
    {"MSG_TRUNC", MSG_TRUNC},
    {"SOL_SOCKET", SOL_SOCKET},
    {"SO_REUSEADDR", SO_REUSEADDR},
#ifdef SO_REUSEPORT
    {"SO_REUSEPORT", SO_REUSEPORT},
#endif
#ifdef SO_REUSEPORT_LB
    {"SO_REUSEPORT_LB", SO_REUSEPORT_LB},
#endif
#ifdef SO_NOSIGPIPE
    {"SO_NOSIGPIPE", SO_NOSIGPIPE},
#endif
    {"SO_ERROR", SO_ERROR},
    {"SO_KEEPALIVE", SO_KEEPALIVE},
    {"SO_LINGER", SO_LINGER},
    {"SO_OOBINLINE", SO_OOBINLINE},
    {"SO_RCVBUF", SO_RCVBUF},
    {"SO_SNDBUF", SO_SNDBUF},
    {"SO_TYPE", SO_TYPE},
#ifdef SO_ACCEPTCONN
    {"SO_ACCEPTCONN", SO_ACCEPTCONN},
#endif
    {"SO_BROADCAST", SO_BROADCAST},
#ifdef SO_PROTOCOL
    {"SO_PROTOCOL", SO_PROTOCOL},
#endif
    {"IPPROTO_IP", IPPROTO_IP},
    {"IPPROTO_IPV6", IPPROTO_IPV6},
    {"IPPROTO_TCP", IPPROTO_TCP},
    {"IPPROTO_UDP", IPPROTO_UDP},
    {"TCP_NODELAY", TCP_NODELAY},
#ifdef TCP_KEEPIDLE
    {"TCP_KEEPIDLE", TCP_KEEPIDLE},
#endif
#ifdef TCP_KEEPALIVE
    {"TCP_KEEPALIVE", TCP_KEEPALIVE},
#endif
#ifdef TCP_KEEPINTVL
    {"TCP_KEEPINTVL", TCP_KEEPINTVL},
#endif
#ifdef TCP_KEEPCNT
    {"TCP_KEEPCNT", TCP_KEEPCNT},
#endif
#ifdef TCP_MAXSEG
    {"TCP_MAXSEG", TCP_MAXSEG},
#endif
#ifdef TCP_NOPUSH
    {"TCP_NOPUSH", TCP_NOPUSH},
#endif
#ifdef TCP_FASTOPEN
    {"TCP_FASTOPEN", TCP_FASTOPEN},
#endif
#ifdef TCP_NOTSENT_LOWAT
    {"TCP_NOTSENT_LOWAT", TCP_NOTSENT_LOWAT},
#endif
    {"IPV6_V6ONLY", IPV6_V6ONLY},
    {"F_GETFD", F_GETFD},
    {"F_SETFD", F_SETFD},
    {"F_GETFL", F_GETFL},
    {"F_SETFL", F_SETFL},
    {"F_DUPFD", F_DUPFD},
    {"F_DUPFD_CLOEXEC", F_DUPFD_CLOEXEC},
    {"FD_CLOEXEC", FD_CLOEXEC},
    {"O_NONBLOCK", O_NONBLOCK},
    {"O_CLOEXEC", O_CLOEXEC},
    {"O_RDONLY", O_RDONLY},
    {"O_WRONLY", O_WRONLY},
    {"O_RDWR", O_RDWR},
    {"O_ACCMODE", O_ACCMODE},
#ifdef IOV_MAX
    {"IOV_MAX", IOV_MAX},
#endif
    {"SOMAXCONN", SOMAXCONN},
};
// clang-format on
const size_t kConstantCount = sizeof kConstants / sizeof kConstants[0];

}  // namespace tripoll
