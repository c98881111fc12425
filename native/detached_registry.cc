#include "detached_registry.h"

#include <mutex>
#include <random>
#include <unordered_map>
#include <vector>

#include "os_errno.h"
#include "socket_calls.h"

namespace tripoll {

namespace {

struct Detached {
  int fd;
  uint32_t kind;
  uint64_t key;
  // SAFETY: only compared, never followed. An environment takes its entries out (CloseDetachedOf)
  // before its memory can become another's.
  const void* owner;
};

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): different ids have different keys.
uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

struct DetachedRegistry {
  uint64_t KeyOf(uint64_t id) const { return Mix(seed + id) & kDetachedKeyMask; }

  std::mutex mutex;
  uint64_t next_id = 1;
  uint64_t seed = 0;
  std::unordered_map<uint64_t, Detached> entries;
};

DetachedRegistry& Registry() {
  // Never destroyed: a thread may still end while static destructors run.
  static auto* registry = [] {
    auto* made = new DetachedRegistry();
    std::random_device random;
    made->seed = (uint64_t{random()} << 32) | random();
    return made;
  }();
  return *registry;
}

using Entry = std::unordered_map<uint64_t, Detached>::iterator;

// Called with the lock.
bool Find(DetachedRegistry* registry, DetachedName name, Entry* found) {
  *found = registry->entries.find(name.id);
  return *found != registry->entries.end() && (*found)->second.key == name.key;
}

// There is nobody to tell what it says, and EINTR has closed (T42).
void CloseIgnored(int fd) { static_cast<void>(os::Close(fd)); }

}  // namespace

DetachedName Detach(const void* owner, int fd, uint32_t kind) {
  DetachedRegistry& registry = Registry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const uint64_t id = registry.next_id++;
  const uint64_t key = registry.KeyOf(id);
  registry.entries.emplace(id, Detached{fd, kind, key, owner});
  return {id, key};
}

int Claim(DetachedName name, uint32_t kind) {
  DetachedRegistry& registry = Registry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  Entry found;
  if (!Find(&registry, name, &found)) return -ENOENT;
  if (found->second.kind != kind) return -EINVAL;
  const int fd = found->second.fd;
  registry.entries.erase(found);
  return fd;
}

int GiveBack(const void* owner, DetachedName name, int fd, uint32_t kind) {
  DetachedRegistry& registry = Registry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const bool was_given_out = name.id != 0 && name.id < registry.next_id;
  if (!was_given_out || registry.KeyOf(name.id) != name.key) return -EINVAL;
  const bool is_new = registry.entries.emplace(name.id, Detached{fd, kind, name.key, owner}).second;
  return is_new ? 0 : -EINVAL;
}

int ChangeOwner(DetachedName name, const void* owner) {
  DetachedRegistry& registry = Registry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  Entry found;
  if (!Find(&registry, name, &found)) return -ENOENT;
  found->second.owner = owner;
  return 0;
}

int CloseDetached(DetachedName name) {
  DetachedRegistry& registry = Registry();
  int fd = -1;
  {
    const std::lock_guard<std::mutex> lock(registry.mutex);
    Entry found;
    if (!Find(&registry, name, &found)) return -ENOENT;
    fd = found->second.fd;
    registry.entries.erase(found);
  }
  CloseIgnored(fd);
  return 0;
}

void CloseDetachedOf(const void* owner) {
  DetachedRegistry& registry = Registry();
  std::vector<int> fds;
  {
    const std::lock_guard<std::mutex> lock(registry.mutex);
    for (auto at = registry.entries.begin(); at != registry.entries.end();) {
      if (at->second.owner != owner) {
        ++at;
        continue;
      }
      fds.push_back(at->second.fd);
      at = registry.entries.erase(at);
    }
  }
  for (const int fd : fds) CloseIgnored(fd);
}

}  // namespace tripoll
