// Fds on their way to another thread, for JavaScript: see detached_registry.h.
#include <cstring>

#include "call_wrap.h"
#include "detached_registry.h"
#include "os_errno.h"

namespace tripoll {

namespace {

// The two halves of a name, as whole numbers.
struct NameArgument {
  static constexpr size_t kArguments = 2;
  bool Read(const Args* args, size_t at) {
    int64_t id = 0;
    int64_t key = 0;
    if (!args->Int53(at, &id) || !args->Int53(at + 1, &key)) return false;
    name = {static_cast<uint64_t>(id), static_cast<uint64_t>(key)};
    return true;
  }

  DetachedName name;
};

// The name, as two doubles, into `out`. The fd has to be this environment's; it leaves that in the
// same call, so that at any moment one of both closes it when the thread is terminated (T50).
napi_value DetachFd(napi_env env, Environment* environment, int fd, uint32_t kind, Span out) {
  double halves[2];
  if (out.length < sizeof halves) return ThrowRange(env, "expected at least 16 bytes to fill");
  if (!environment->fds.Remove(fd)) return ToValue(env, -EBADF);
  const DetachedName name = Detach(environment, fd, kind);
  halves[0] = static_cast<double>(name.id);
  halves[1] = static_cast<double>(name.key);
  std::memcpy(out.data, halves, sizeof halves);
  return ToValue(env, 0);
}

int ClaimFd(Environment* environment, NameArgument argument, uint32_t kind) {
  const int fd = Claim(argument.name, kind);
  if (fd >= 0) environment->fds.Insert(fd);
  return fd;
}

int UnclaimFd(Environment* environment, int fd, NameArgument argument, uint32_t kind) {
  if (!environment->fds.Remove(fd)) return -EBADF;
  const int error = GiveBack(environment, argument.name, fd, kind);
  if (error < 0) environment->fds.Insert(fd);
  return error;
}

int OwnDetached(Environment* environment, NameArgument argument) {
  return ChangeOwner(argument.name, environment);
}

int CloseDetachedByName(NameArgument argument) { return CloseDetached(argument.name); }

const Export kExports[] = {
    {"detachFd", Call<DetachFd>},
    {"claimFd", Call<ClaimFd>},
    {"unclaimFd", Call<UnclaimFd>},
    {"ownDetached", Call<OwnDetached>},
    {"closeDetached", Call<CloseDetachedByName>},
};

}  // namespace

void ExportDetached(napi_env env, napi_value exports) { ExportAll(env, exports, kExports); }

}  // namespace tripoll
