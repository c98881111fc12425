#include "windows/wide_text.h"

#include "windows/windows_headers.h"

namespace tripoll {

namespace {

// The longest path of Windows, in its 16-bit units, has no more bytes.
constexpr size_t kMostNameBytes = 3 * 32767;

}  // namespace

std::wstring ToWide(const std::string& text) {
  if (text.find('\0') != std::string::npos || text.size() > kMostNameBytes) return {};
  const int bytes = static_cast<int>(text.size());
  const int length =
      MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), bytes, nullptr, 0);
  if (length <= 0) return {};
  std::wstring wide(static_cast<size_t>(length), L'\0');
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), bytes, &wide[0], length) !=
      length)
    return {};
  return wide;
}

}  // namespace tripoll
