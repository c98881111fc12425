// The only file here that knows Node-API.
#include <node_api.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "echo_peer.h"
#include "process_control.h"

namespace {

// A benchmark cannot go on after a failed Node-API call.
void Check(napi_status status, const char* what) {
  if (status == napi_ok) return;
  fprintf(stderr, "bench_peers: %s failed with napi_status %d\n", what, static_cast<int>(status));
  abort();
}

napi_value Number(napi_env env, int value) {
  napi_value result;
  Check(napi_create_int32(env, value, &result), "napi_create_int32");
  return result;
}

template <int (*Function)()>
napi_value Call(napi_env env, napi_callback_info) {
  return Number(env, Function());
}

napi_value PinAllThreads(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  Check(napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr), "napi_get_cb_info");
  int32_t cpu = -1;
  if (count < 1 || napi_get_value_int32(env, argument, &cpu) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "pinAllThreads takes a CPU number");
    return nullptr;
  }
  return Number(env, bench::PinAllThreads(cpu));
}

napi_value AllowedCpus(napi_env env, napi_callback_info) {
  std::vector<uint32_t> cpus;
  const int error = bench::AllowedCpus(&cpus);
  if (error != 0) return Number(env, error);
  napi_value list;
  Check(napi_create_array_with_length(env, cpus.size(), &list), "napi_create_array");
  for (uint32_t i = 0; i < cpus.size(); i++) {
    Check(napi_set_element(env, list, i, Number(env, static_cast<int>(cpus[i]))),
          "napi_set_element");
  }
  return list;
}

void Export(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  Check(napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function), name);
  Check(napi_set_named_property(env, exports, name, function), name);
}

}  // namespace

NAPI_MODULE_INIT() {
  Export(env, exports, "rawEpollListen", Call<bench::RawEpollListen>);
  Export(env, exports, "rawEpollRun", Call<bench::RawEpollRun>);
  Export(env, exports, "rawEpollSpin", Call<bench::RawEpollSpin>);
  Export(env, exports, "libuvTunedListen", Call<bench::LibuvTunedListen>);
  Export(env, exports, "libuvTunedRun", Call<bench::LibuvTunedRun>);
  Export(env, exports, "libuvNaiveListen", Call<bench::LibuvNaiveListen>);
  Export(env, exports, "libuvNaiveRun", Call<bench::LibuvNaiveRun>);
  Export(env, exports, "pinAllThreads", PinAllThreads);
  Export(env, exports, "dieWithParent", Call<bench::DieWithParent>);
  Export(env, exports, "allowedCpus", AllowedCpus);
  return exports;
}
