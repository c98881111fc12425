// What is newer than some headers that this is built with. Source: ws2ipdef.h of the Windows 10 SDK
// (10.0.16299).
#ifndef TRIPOLL_WINDOWS_NEWER_H_
#define TRIPOLL_WINDOWS_NEWER_H_

#ifndef TCP_KEEPIDLE
#define TCP_KEEPIDLE 3
#endif
#ifndef TCP_MAXRT
#define TCP_MAXRT 5
#endif
#ifndef TCP_FASTOPEN
#define TCP_FASTOPEN 15
#endif
#ifndef TCP_KEEPCNT
#define TCP_KEEPCNT 16
#endif
#ifndef TCP_KEEPINTVL
#define TCP_KEEPINTVL 17
#endif

#endif  // TRIPOLL_WINDOWS_NEWER_H_
