#ifndef TRIPOLL_CONSTANTS_H_
#define TRIPOLL_CONSTANTS_H_

#include <cstddef>
#include <cstdint>

namespace tripoll {

struct Constant {
  const char* name;
  int64_t value;
};

// This system's constants, from its own headers, under their own names.
extern const Constant kConstants[];
extern const size_t kConstantCount;

// This system's errno values, under their own names.
extern const Constant kErrnos[];
extern const size_t kErrnoCount;

}  // namespace tripoll

#endif  // TRIPOLL_CONSTANTS_H_
