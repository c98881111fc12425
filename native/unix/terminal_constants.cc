#include "unix/terminal_constants.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

namespace tripoll {

// Under #ifdef: what one of these systems lacks.
// clang-format off: a constant a line, so that a diff shows which came or went.
const Constant kTerminalConstants[] = {
    {"TCSANOW", TCSANOW},
    {"TCSADRAIN", TCSADRAIN},
    {"TCSAFLUSH", TCSAFLUSH},
    {"IGNBRK", IGNBRK},
    {"BRKINT", BRKINT},
    {"PARMRK", PARMRK},
    {"INPCK", INPCK},
    {"ISTRIP", ISTRIP},
    {"INLCR", INLCR},
    {"IGNCR", IGNCR},
    {"ICRNL", ICRNL},
    {"IXON", IXON},
    {"IXOFF", IXOFF},
    {"IXANY", IXANY},
    {"OPOST", OPOST},
    {"ONLCR", ONLCR},
    {"CSIZE", CSIZE},
    {"CS5", CS5},
    {"CS6", CS6},
    {"CS7", CS7},
    {"CS8", CS8},
    {"CSTOPB", CSTOPB},
    {"CREAD", CREAD},
    {"PARENB", PARENB},
    {"PARODD", PARODD},
    {"HUPCL", HUPCL},
    {"CLOCAL", CLOCAL},
    {"CRTSCTS", CRTSCTS},
    {"ISIG", ISIG},
    {"ICANON", ICANON},
    {"ECHO", ECHO},
    {"ECHOE", ECHOE},
    {"ECHOK", ECHOK},
    {"ECHONL", ECHONL},
    {"NOFLSH", NOFLSH},
    {"TOSTOP", TOSTOP},
    {"IEXTEN", IEXTEN},
    {"NCCS", NCCS},
    {"VINTR", VINTR},
    {"VQUIT", VQUIT},
    {"VERASE", VERASE},
    {"VKILL", VKILL},
    {"VEOF", VEOF},
    {"VEOL", VEOL},
    {"VSTART", VSTART},
    {"VSTOP", VSTOP},
    {"VSUSP", VSUSP},
    {"VMIN", VMIN},
    {"VTIME", VTIME},
    {"O_NOCTTY", O_NOCTTY},
    {"FIONREAD", FIONREAD},
    {"TIOCGWINSZ", TIOCGWINSZ},
    {"TIOCSWINSZ", TIOCSWINSZ},
    {"TIOCSCTTY", TIOCSCTTY},
    {"TIOCNOTTY", TIOCNOTTY},
    {"TIOCEXCL", TIOCEXCL},
    {"TIOCNXCL", TIOCNXCL},
    {"TIOCOUTQ", TIOCOUTQ},
    {"TIOCGPGRP", TIOCGPGRP},
    {"TIOCSPGRP", TIOCSPGRP},
    {"TIOCMGET", TIOCMGET},
    {"TIOCMSET", TIOCMSET},
    {"TIOCMBIS", TIOCMBIS},
    {"TIOCMBIC", TIOCMBIC},
    {"TIOCSBRK", TIOCSBRK},
    {"TIOCCBRK", TIOCCBRK},
    {"TIOCM_DTR", TIOCM_DTR},
    {"TIOCM_RTS", TIOCM_RTS},
    {"TIOCM_CTS", TIOCM_CTS},
    {"TIOCM_CAR", TIOCM_CAR},
    {"TIOCM_RNG", TIOCM_RNG},
    {"TIOCM_DSR", TIOCM_DSR},
#ifdef TIOCSTI
    {"TIOCSTI", TIOCSTI},
#endif
#ifdef TIOCPKT
    {"TIOCPKT", TIOCPKT},
#endif
#ifdef TIOCGSERIAL
    {"TIOCGSERIAL", TIOCGSERIAL},
#endif
#ifdef TIOCSSERIAL
    {"TIOCSSERIAL", TIOCSSERIAL},
#endif
#ifdef TCSBRK
    {"TCSBRK", TCSBRK},
#endif
#ifdef TCXONC
    {"TCXONC", TCXONC},
#endif
#ifdef TCFLSH
    {"TCFLSH", TCFLSH},
#endif
#ifdef TCGETS
    {"TCGETS", TCGETS},
#endif
#ifdef TCSETS
    {"TCSETS", TCSETS},
#endif
#ifdef IUTF8
    {"IUTF8", IUTF8},
#endif
#ifdef TIOCGPTN
    {"TIOCGPTN", TIOCGPTN},
#endif
#ifdef TIOCGPTPEER
    {"TIOCGPTPEER", TIOCGPTPEER},
#endif
};
// clang-format on
const size_t kTerminalConstantCount = sizeof kTerminalConstants / sizeof kTerminalConstants[0];

}  // namespace tripoll
