#include "unix/libuv_symbols.h"

#include <dlfcn.h>

#include <cstring>

namespace tripoll {

namespace {

template <typename F>
bool Find(const char* name, F* function) {
  void* symbol = dlsym(RTLD_DEFAULT, name);
  static_assert(sizeof symbol == sizeof *function, "POSIX: a function pointer fits an object pointer");
  std::memcpy(function, &symbol, sizeof symbol);
  return symbol != nullptr;
}

bool FindAll(LibuvSymbols* uv) {
  return Find("uv_handle_size", &uv->handle_size) && Find("uv_handle_type_name", &uv->handle_type_name) &&
         Find("uv_handle_set_data", &uv->handle_set_data) && Find("uv_handle_get_data", &uv->handle_get_data) &&
         Find("uv_ref", &uv->ref) && Find("uv_unref", &uv->unref) && Find("uv_close", &uv->close) &&
         Find("uv_poll_init", &uv->poll_init) && Find("uv_poll_start", &uv->poll_start) &&
         Find("uv_poll_stop", &uv->poll_stop) && std::strcmp(uv->handle_type_name(kUvPollType), "poll") == 0;
}

}  // namespace

const LibuvSymbols* FindLibuv() {
  static LibuvSymbols symbols{};
  static const bool found = FindAll(&symbols);
  return found ? &symbols : nullptr;
}

}  // namespace tripoll
