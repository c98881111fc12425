#ifndef TRIPOLL_UNIX_TERMINAL_CONSTANTS_H_
#define TRIPOLL_UNIX_TERMINAL_CONSTANTS_H_

#include "constants.h"

namespace tripoll {

// The constants of <termios.h>, and of the ioctls of terminals and serial lines.
extern const Constant kTerminalConstants[];
extern const size_t kTerminalConstantCount;

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_TERMINAL_CONSTANTS_H_
