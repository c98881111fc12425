// What does not exist on Windows.
#include "env_wrap.h"

#include "os_errno.h"

namespace tripoll {

// The drivers that live in libuv's loop: a completion port can be watched by no other.
int StartNestedDriver(napi_env /*env*/, PollerEntry* /*entry*/, napi_value /*callback*/) {
  return -ENOTSUP;
}
int StartInvertedDriver(napi_env /*env*/, PollerEntry* /*entry*/, napi_value /*callback*/) {
  return -ENOTSUP;
}

}  // namespace tripoll
