#ifndef TRIPOLL_DETACHED_REGISTRY_H_
#define TRIPOLL_DETACHED_REGISTRY_H_

#include <cstdint>

namespace tripoll {

// Fds on their way from one thread to another: they belong to this table, and to no environment,
// until somebody claims them. The second state of the whole process, beside the wakers.
//
// Another thread holds a name, never a number. Ids are never reused, and the key tells a name of
// this process and this copy of the addon from any other: so a claim that comes late, twice, or
// with a made-up name finds nothing instead of a stranger's fd (T56).
struct DetachedName {
  uint64_t id = 0;
  uint64_t key = 0;
};

// Both halves of a name are whole numbers that a double holds exactly.
constexpr uint64_t kDetachedKeyMask = (uint64_t{1} << 53) - 1;

// Takes the fd. It is closed with its owner if nobody claims it before; `kind` is what a claim must
// know it to be.
DetachedName Detach(const void* owner, int fd, uint32_t kind);

// Gives the fd to the caller, once. -ENOENT: claimed, closed, or never detached here; -EINVAL: it
// is of another kind, and stays.
int Claim(DetachedName name, uint32_t kind);

// Takes back what the caller has claimed by this name and could not use: another may claim it, and
// without that it is closed with this owner. 0, or -EINVAL for a name that was not claimed.
int GiveBack(const void* owner, DetachedName name, int fd, uint32_t kind);

// From now on it is closed with this owner. 0 or -ENOENT.
int ChangeOwner(DetachedName name, const void* owner);

// 0 or -ENOENT.
int CloseDetached(DetachedName name);

// The owner ends: what of its fds nobody has claimed is closed.
void CloseDetachedOf(const void* owner);

}  // namespace tripoll

#endif  // TRIPOLL_DETACHED_REGISTRY_H_
