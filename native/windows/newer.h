// What is newer than some headers that this is built with. Source: ws2ipdef.h of the Windows 10 SDK
// (10.0.16299; of IP_* and IPV6_*: 10.0.20348).
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

#ifndef IP_RECVTTL
#define IP_RECVTTL 21
#endif
#ifndef IP_RECVTOS
#define IP_RECVTOS 40
#endif
#ifndef IP_MTU
#define IP_MTU 73
#endif
#ifndef IPV6_MTU
#define IPV6_MTU 72
#endif
#ifndef IP_ECN
#define IP_ECN 50
#endif
#ifndef IPV6_TCLASS
#define IPV6_TCLASS 39
#endif
#ifndef IPV6_RECVTCLASS
#define IPV6_RECVTCLASS 40
#endif
#ifndef IPV6_ECN
#define IPV6_ECN 50
#endif

#endif  // TRIPOLL_WINDOWS_NEWER_H_
