// Converts a terminal line's speed between baud and what <termios.h> has for it, which is the same
// number on the BSDs and a code on Linux.
#ifndef TRIPOLL_UNIX_LINE_SPEED_H_
#define TRIPOLL_UNIX_LINE_SPEED_H_

#include <termios.h>

#include <cstdint>

// From glibc 2.42 on <termios.h> says 9600 for B9600, to functions that came with it. Compiled by
// such headers for an older glibc, as the package's addon is, one calls the older functions, which
// take the kernel's codes.
#if defined(__GLIBC__) && defined(__B9600) && __GLIBC__ == 2 && __GLIBC_MINOR__ < 42
#define TRIPOLL_SPEED(baud) __B##baud
#else
#define TRIPOLL_SPEED(baud) B##baud
#endif

namespace tripoll {

struct LineSpeed {
  uint32_t baud;
  speed_t code;
};

// The speeds that POSIX names, and those that a system may have besides.
constexpr LineSpeed kLineSpeeds[] = {
    {0, TRIPOLL_SPEED(0)},
    {50, TRIPOLL_SPEED(50)},
    {75, TRIPOLL_SPEED(75)},
    {110, TRIPOLL_SPEED(110)},
    {134, TRIPOLL_SPEED(134)},
    {150, TRIPOLL_SPEED(150)},
    {200, TRIPOLL_SPEED(200)},
    {300, TRIPOLL_SPEED(300)},
    {600, TRIPOLL_SPEED(600)},
    {1200, TRIPOLL_SPEED(1200)},
    {1800, TRIPOLL_SPEED(1800)},
    {2400, TRIPOLL_SPEED(2400)},
    {4800, TRIPOLL_SPEED(4800)},
    {9600, TRIPOLL_SPEED(9600)},
    {19200, TRIPOLL_SPEED(19200)},
    {38400, TRIPOLL_SPEED(38400)},
    {57600, TRIPOLL_SPEED(57600)},
    {115200, TRIPOLL_SPEED(115200)},
    {230400, TRIPOLL_SPEED(230400)},
#ifdef B460800
    {460800, TRIPOLL_SPEED(460800)},
#endif
#ifdef B500000
    {500000, TRIPOLL_SPEED(500000)},
#endif
#ifdef B576000
    {576000, TRIPOLL_SPEED(576000)},
#endif
#ifdef B921600
    {921600, TRIPOLL_SPEED(921600)},
#endif
#ifdef B1000000
    {1000000, TRIPOLL_SPEED(1000000)},
#endif
#ifdef B1152000
    {1152000, TRIPOLL_SPEED(1152000)},
#endif
#ifdef B1500000
    {1500000, TRIPOLL_SPEED(1500000)},
#endif
#ifdef B2000000
    {2000000, TRIPOLL_SPEED(2000000)},
#endif
#ifdef B2500000
    {2500000, TRIPOLL_SPEED(2500000)},
#endif
#ifdef B3000000
    {3000000, TRIPOLL_SPEED(3000000)},
#endif
#ifdef B3500000
    {3500000, TRIPOLL_SPEED(3500000)},
#endif
#ifdef B4000000
    {4000000, TRIPOLL_SPEED(4000000)},
#endif
};

// Where a code is the speed itself any speed may be asked for: only the driver knows which it has.
constexpr bool kSpeedIsItsCode = TRIPOLL_SPEED(9600) == 9600;

#undef TRIPOLL_SPEED

// Returns 0 for a code that has no name here.
inline uint32_t ToBaud(speed_t code) {
  for (const LineSpeed& speed : kLineSpeeds) {
    if (speed.code == code) return speed.baud;
  }
  return kSpeedIsItsCode ? static_cast<uint32_t>(code) : 0;
}

inline bool FromBaud(uint32_t baud, speed_t* code) {
  for (const LineSpeed& speed : kLineSpeeds) {
    if (speed.baud != baud) continue;
    *code = speed.code;
    return true;
  }
  *code = baud;
  return kSpeedIsItsCode;
}

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_LINE_SPEED_H_
