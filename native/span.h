#ifndef TRIPOLL_SPAN_H_
#define TRIPOLL_SPAN_H_

#include <cstddef>
#include <cstdint>

namespace tripoll {

// A part of memory; data may be null when length is 0.
struct Span {
  uint8_t* data = nullptr;
  size_t length = 0;
};

}  // namespace tripoll

#endif  // TRIPOLL_SPAN_H_
