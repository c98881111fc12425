// The module: makes the environment's state, and exports what the *_wrap files bring.
#include <napi.h>

#include "constants.h"
#include "env_wrap.h"

namespace tripoll {

namespace {

Napi::Object ToObject(Napi::Env env, const Constant* list, size_t count) {
  Napi::Object object = Napi::Object::New(env);
  for (size_t i = 0; i < count; i++) object.Set(list[i].name, static_cast<double>(list[i].value));
  return object;
}

Napi::Object Layout(Napi::Env env) {
  Napi::Object layout = Napi::Object::New(env);
  layout.Set("recordBytes", static_cast<double>(sizeof(EventRecord)));
  layout.Set("slotOffset", static_cast<double>(offsetof(EventRecord, slot)));
  layout.Set("generationOffset", static_cast<double>(offsetof(EventRecord, generation)));
  layout.Set("readinessOffset", static_cast<double>(offsetof(EventRecord, readiness)));
  layout.Set("batchSize", static_cast<double>(kEventBatchSize));
  layout.Set("errnoShift", static_cast<double>(kReadinessErrnoShift));
  return layout;
}

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

Napi::Array Backends(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
  for (int i = 0; i < kBackendCount; i++) names.Set(static_cast<uint32_t>(i), kBackends[i]);
  return names;
}

// Runs after every hook of a driver, which were added later: hooks run last in, first out.
void CloseEnvironment(void* data) {
  auto* environment = static_cast<Environment*>(data);
  environment->pollers.clear();
  environment->fds.CloseAll();
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
  ExportPoller(env, exports);
  ExportRaw(env, exports);
  Napi::Object object(env, exports);
  object.Set("constants", ToObject(env, kConstants, kConstantCount));
  object.Set("errnos", ToObject(env, kErrnos, kErrnoCount));
  object.Set("flags", ToObject(env, kFlags, sizeof kFlags / sizeof kFlags[0]));
  object.Set("layout", Layout(env));
  object.Set("backends", Backends(env));
  return exports;
}
