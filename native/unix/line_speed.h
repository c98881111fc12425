// Converts a terminal line's speed between baud and what <termios.h> has for it, which is the same
// number on the BSDs and a code on Linux.
#ifndef TRIPOLL_UNIX_LINE_SPEED_H_
#define TRIPOLL_UNIX_LINE_SPEED_H_

#include <termios.h>

#include <cstdint>

namespace tripoll {

struct LineSpeed {
  uint32_t baud;
  speed_t code;
};

// The speeds that POSIX names, and those that a system may have besides.
constexpr LineSpeed kLineSpeeds[] = {
    {0, B0},
    {50, B50},
    {75, B75},
    {110, B110},
    {134, B134},
    {150, B150},
    {200, B200},
    {300, B300},
    {600, B600},
    {1200, B1200},
    {1800, B1800},
    {2400, B2400},
    {4800, B4800},
    {9600, B9600},
    {19200, B19200},
    {38400, B38400},
    {57600, B57600},
    {115200, B115200},
    {230400, B230400},
#ifdef B460800
    {460800, B460800},
#endif
#ifdef B500000
    {500000, B500000},
#endif
#ifdef B576000
    {576000, B576000},
#endif
#ifdef B921600
    {921600, B921600},
#endif
#ifdef B1000000
    {1000000, B1000000},
#endif
#ifdef B1152000
    {1152000, B1152000},
#endif
#ifdef B1500000
    {1500000, B1500000},
#endif
#ifdef B2000000
    {2000000, B2000000},
#endif
#ifdef B2500000
    {2500000, B2500000},
#endif
#ifdef B3000000
    {3000000, B3000000},
#endif
#ifdef B3500000
    {3500000, B3500000},
#endif
#ifdef B4000000
    {4000000, B4000000},
#endif
};

// Where a code is the speed itself any speed may be asked for: only the driver knows which it has.
constexpr bool kSpeedIsItsCode = B9600 == 9600;

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
