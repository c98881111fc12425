// The drivers that live in libuv's loop: a completion port can be watched by no other, so neither
// exists here.
#include "env_wrap.h"

#include "os_errno.h"

namespace tripoll {

int StartNestedDriver(napi_env /*env*/, PollerEntry* /*entry*/, napi_value /*callback*/) {
  return -ENOTSUP;
}
int StartInvertedDriver(napi_env /*env*/, PollerEntry* /*entry*/, napi_value /*callback*/) {
  return -ENOTSUP;
}

}  // namespace tripoll
