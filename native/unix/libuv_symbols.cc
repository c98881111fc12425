#include "unix/libuv_symbols.h"

#include <dlfcn.h>

#include <cstring>

namespace tripoll {

namespace {

template <typename F>
bool Find(const char* name, F* function) {
  void* symbol = dlsym(RTLD_DEFAULT, name);
  static_assert(sizeof symbol == sizeof *function,
                "POSIX: a function pointer fits an object pointer");
  std::memcpy(function, &symbol, sizeof symbol);
  return symbol != nullptr;
}

bool HasType(const LibuvSymbols& uv, int type, const char* name) {
  return std::strcmp(uv.handle_type_name(type), name) == 0;
}

bool FindAll(LibuvSymbols* uv) {
  return Find("uv_handle_size", &uv->handle_size) &&
         Find("uv_handle_type_name", &uv->handle_type_name) &&
         Find("uv_handle_set_data", &uv->handle_set_data) &&
         Find("uv_handle_get_data", &uv->handle_get_data) && Find("uv_ref", &uv->ref) &&
         Find("uv_unref", &uv->unref) && Find("uv_close", &uv->close) &&
         Find("uv_poll_init", &uv->poll_init) && Find("uv_poll_start", &uv->poll_start) &&
         Find("uv_poll_stop", &uv->poll_stop) && Find("uv_prepare_init", &uv->prepare_init) &&
         Find("uv_prepare_start", &uv->prepare_start) && Find("uv_idle_init", &uv->idle_init) &&
         Find("uv_idle_start", &uv->idle_start) && Find("uv_idle_stop", &uv->idle_stop) &&
         Find("uv_backend_fd", &uv->backend_fd) &&
         Find("uv_backend_timeout", &uv->backend_timeout) &&
         Find("uv_update_time", &uv->update_time) && HasType(*uv, kUvIdleType, "idle") &&
         HasType(*uv, kUvPollType, "poll") && HasType(*uv, kUvPrepareType, "prepare");
}

}  // namespace

const LibuvSymbols* FindLibuv() {
  static LibuvSymbols symbols{};
  static const bool found = FindAll(&symbols);
  return found ? &symbols : nullptr;
}

}  // namespace tripoll
