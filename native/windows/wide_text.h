#ifndef TRIPOLL_WINDOWS_WIDE_TEXT_H_
#define TRIPOLL_WINDOWS_WIDE_TEXT_H_

#include <string>

namespace tripoll {

// A name as Windows takes it. Empty for what is no UTF-8, or has a NUL in it, at which Windows
// would stop.
std::wstring ToWide(const std::string& text);

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_WIDE_TEXT_H_
