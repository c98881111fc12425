#include "waker_registry.h"

#include <mutex>
#include <unordered_map>

#include "os_errno.h"

namespace tripoll {

namespace {

struct WakerRegistry {
  std::mutex mutex;
  uint64_t next_id = 1;
  std::unordered_map<uint64_t, Poller*> targets;
};

WakerRegistry& Registry() {
  // Never destroyed: a thread may still wake while static destructors run.
  static auto* registry = new WakerRegistry();
  return *registry;
}

}  // namespace

uint64_t RegisterWakeTarget(Poller* poller) {
  WakerRegistry& registry = Registry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const uint64_t id = registry.next_id++;
  registry.targets.emplace(id, poller);
  return id;
}

void UnregisterWakeTarget(uint64_t id) {
  WakerRegistry& registry = Registry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  registry.targets.erase(id);
}

int WakeTarget(uint64_t id) {
  WakerRegistry& registry = Registry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const auto found = registry.targets.find(id);
  // SAFETY: the poller lives while it is registered, and unregistering takes this lock.
  return found == registry.targets.end() ? -ENOENT : found->second->Wake();
}

}  // namespace tripoll
