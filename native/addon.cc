// The module: makes the environment's state, and exports what the *_wrap files bring.
#include <cstddef>

#include "constants.h"
#include "detached_registry.h"
#include "env_wrap.h"

namespace tripoll {

namespace {

const Constant kLayout[] = {
    {"recordBytes", sizeof(EventRecord)},
    {"slotOffset", offsetof(EventRecord, slot)},
    {"generationOffset", offsetof(EventRecord, generation)},
    {"readinessOffset", offsetof(EventRecord, readiness)},
    {"batchSize", kEventBatchSize},
    {"holdBatch", kHoldBatch},
    {"errnoShift", kReadinessErrnoShift},
};

const Constant kFlags[] = {
    {"INTEREST_READABLE", kInterestReadable},
    {"INTEREST_WRITABLE", kInterestWritable},
    {"INTEREST_PRIORITY", kInterestPriority},
    {"READABLE", kReadable},
    {"WRITABLE", kWritable},
    {"PRIORITY", kPriority},
    {"READ_CLOSED", kReadClosed},
    {"WRITE_CLOSED", kWriteClosed},
    {"ERROR", kError},
    {"LEVEL", kModeLevel},
    {"EDGE", kModeEdge},
    {"ONESHOT", kModeOneshot},
    {"EDGE_ONESHOT", kModeEdgeOneshot},
    {"EXCLUSIVE", kModeExclusive},
};

napi_value Backends(napi_env env) {
  napi_value names = nullptr;
  if (napi_create_array(env, &names) != napi_ok) return nullptr;
  for (int i = 0; i < kBackendCount; i++) {
    napi_value name = nullptr;
    if (napi_create_string_utf8(env, kBackends[i], NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_set_element(env, names, static_cast<uint32_t>(i), name) != napi_ok) {
      return nullptr;
    }
  }
  return names;
}

void ExportTables(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_value value;
  } tables[] = {
      {"constants", ToObject(env, kConstants, kConstantCount)},
      {"errnos", ToObject(env, kErrnos, kErrnoCount)},
      {"flags", ToObject(env, kFlags, sizeof kFlags / sizeof kFlags[0])},
      {"layout", ToObject(env, kLayout, sizeof kLayout / sizeof kLayout[0])},
      {"backends", Backends(env)},
  };
  for (const auto& table : tables) {
    // Not through node-addon-api, which ends the process when this fails because the worker is
    // being terminated (T50).
    if (table.value == nullptr ||
        napi_set_named_property(env, exports, table.name, table.value) != napi_ok)
      return;
  }
}

// Runs after every hook of a driver, which were added later: hooks run last in, first out.
void CloseEnvironment(void* data) {
  auto* environment = static_cast<Environment*>(data);
  environment->pollers.clear();
  environment->raw.reset();
  environment->fds.CloseAll();
  CloseDetachedOf(environment);
}

void DeleteEnvironment(napi_env /*env*/, void* data, void* /*hint*/) {
  delete static_cast<Environment*>(data);
}

}  // namespace

}  // namespace tripoll

// NOLINTNEXTLINE(misc-use-internal-linkage): the runtime looks it up by name
NAPI_MODULE_INIT() {
  using namespace tripoll;
  auto* environment = new Environment();
  if (napi_set_instance_data(env, environment, DeleteEnvironment, nullptr) != napi_ok) {
    delete environment;
    return nullptr;
  }
  if (napi_add_env_cleanup_hook(env, CloseEnvironment, environment) != napi_ok) return nullptr;
  ExportSys(env, exports);
  ExportDetached(env, exports);
  ExportPoller(env, exports);
  ExportAddresses(env, exports);
  ExportUdp(env, exports);
  ExportSystem(env, exports);
  ExportTables(env, exports);
  return exports;
}
