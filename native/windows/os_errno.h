// Windows' errno numbers as this library has them: libuv's (uv/errno.h), because that is what Node
// shows and what util.getSystemErrorMap knows. The C runtime's own, of the same names, are
// replaced; what the standard headers make of those (std::errc) is included first. Include this
// last, as os_errno.h stands instead of <cerrno> in files of all systems.
#ifndef TRIPOLL_WINDOWS_OS_ERRNO_H_
#define TRIPOLL_WINDOWS_OS_ERRNO_H_

#include <cerrno>
#include <mutex>
#include <string>
#include <system_error>

#undef E2BIG
#undef EACCES
#undef EADDRINUSE
#undef EADDRNOTAVAIL
#undef EAFNOSUPPORT
#undef EAGAIN
#undef EALREADY
#undef EBADF
#undef EBUSY
#undef ECANCELED
#undef ECONNABORTED
#undef ECONNREFUSED
#undef ECONNRESET
#undef EDESTADDRREQ
#undef EEXIST
#undef EFAULT
#undef EFBIG
#undef EHOSTDOWN
#undef EHOSTUNREACH
#undef EILSEQ
#undef EINTR
#undef EINVAL
#undef EIO
#undef EISCONN
#undef EISDIR
#undef ELOOP
#undef EMFILE
#undef EMLINK
#undef EMSGSIZE
#undef ENAMETOOLONG
#undef ENETDOWN
#undef ENETUNREACH
#undef ENFILE
#undef ENOBUFS
#undef ENODEV
#undef ENOENT
#undef ENOMEM
#undef ENONET
#undef ENOPROTOOPT
#undef ENOSPC
#undef ENOSYS
#undef ENOTCONN
#undef ENOTDIR
#undef ENOTEMPTY
#undef ENOTSOCK
#undef ENOTSUP
#undef ENOTTY
#undef ENXIO
#undef EOVERFLOW
#undef EPERM
#undef EPIPE
#undef EPROTO
#undef EPROTONOSUPPORT
#undef EPROTOTYPE
#undef ERANGE
#undef EROFS
#undef ESHUTDOWN
#undef ESOCKTNOSUPPORT
#undef ESPIPE
#undef ESRCH
#undef ETIMEDOUT
#undef ETXTBSY
#undef EXDEV
#undef EOPNOTSUPP
#undef EWOULDBLOCK

#define E2BIG 4093
#define EACCES 4092
#define EADDRINUSE 4091
#define EADDRNOTAVAIL 4090
#define EAFNOSUPPORT 4089
#define EAGAIN 4088
#define EALREADY 4084
#define EBADF 4083
#define EBUSY 4082
#define ECANCELED 4081
#define ECONNABORTED 4079
#define ECONNREFUSED 4078
#define ECONNRESET 4077
#define EDESTADDRREQ 4076
#define EEXIST 4075
#define EFAULT 4074
#define EFBIG 4036
#define EHOSTDOWN 4031
#define EHOSTUNREACH 4073
#define EILSEQ 4027
#define EINTR 4072
#define EINVAL 4071
#define EIO 4070
#define EISCONN 4069
#define EISDIR 4068
#define ELOOP 4067
#define EMFILE 4066
#define EMLINK 4032
#define EMSGSIZE 4065
#define ENAMETOOLONG 4064
#define ENETDOWN 4063
#define ENETUNREACH 4062
#define ENFILE 4061
#define ENOBUFS 4060
#define ENODEV 4059
#define ENOENT 4058
#define ENOMEM 4057
#define ENONET 4056
#define ENOPROTOOPT 4035
#define ENOSPC 4055
#define ENOSYS 4054
#define ENOTCONN 4053
#define ENOTDIR 4052
#define ENOTEMPTY 4051
#define ENOTSOCK 4050
#define ENOTSUP 4049
#define ENOTTY 4029
#define ENXIO 4033
#define EOVERFLOW 4026
#define EPERM 4048
#define EPIPE 4047
#define EPROTO 4046
#define EPROTONOSUPPORT 4045
#define EPROTOTYPE 4044
#define ERANGE 4034
#define EROFS 4043
#define ESHUTDOWN 4042
#define ESOCKTNOSUPPORT 4025
#define ESPIPE 4041
#define ESRCH 4040
#define ETIMEDOUT 4039
#define ETXTBSY 4038
#define EXDEV 4037

// EINPROGRESS stays the C runtime's: libuv has no number for it.
// One number, as on Linux: errors.ts calls it ENOTSUP.
#define EOPNOTSUPP ENOTSUP
#define EWOULDBLOCK EAGAIN

#endif  // TRIPOLL_WINDOWS_OS_ERRNO_H_
