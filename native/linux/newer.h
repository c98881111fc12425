// What this Linux may know and the headers that we are built with may not: each under #ifndef, with
// its source. No other file has such names.
#ifndef TRIPOLL_LINUX_NEWER_H_
#define TRIPOLL_LINUX_NEWER_H_

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <cstdint>

// Linux 6.9, include/uapi/linux/eventpoll.h: busy polling of one epoll instance.
#ifndef EPIOCSPARAMS
struct epoll_params {
  uint32_t busy_poll_usecs;
  uint16_t busy_poll_budget;
  uint8_t prefer_busy_poll;
  uint8_t __pad;
};
#define EPOLL_IOC_TYPE 0x8A
#define EPIOCSPARAMS _IOW(EPOLL_IOC_TYPE, 0x01, struct epoll_params)
#define EPIOCGPARAMS _IOR(EPOLL_IOC_TYPE, 0x02, struct epoll_params)
#endif

// Linux 6.3, include/uapi/linux/in.h.
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

// Linux 5.11, include/uapi/asm-generic/socket.h.
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#endif

// Linux 2.4 and 3.7, include/uapi/linux/netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h, which
// cannot be included together with glibc's netinet/in.h everywhere.
#ifndef SO_ORIGINAL_DST
#define SO_ORIGINAL_DST 80
#endif
#ifndef IP6T_SO_ORIGINAL_DST
#define IP6T_SO_ORIGINAL_DST 80
#endif

// Linux 4.18 and 5.0, include/uapi/linux/udp.h: batches of one peer's datagrams.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

// Linux 4.20, include/uapi/linux/in6.h.
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

#endif  // TRIPOLL_LINUX_NEWER_H_
