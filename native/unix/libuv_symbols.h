#ifndef TRIPOLL_UNIX_LIBUV_SYMBOLS_H_
#define TRIPOLL_UNIX_LIBUV_SYMBOLS_H_

#include <cstddef>

struct uv_loop_s;

namespace tripoll {

// The few libuv functions that drivers use, found in the running process: the addon links none, so
// that one file loads on runtimes that have no libuv. Handles are opaque bytes whose size libuv
// tells.
struct LibuvSymbols {
  size_t (*handle_size)(int type);
  const char* (*handle_type_name)(int type);
  void (*handle_set_data)(void* handle, void* data);
  void* (*handle_get_data)(const void* handle);
  void (*ref)(void* handle);
  void (*unref)(void* handle);
  void (*close)(void* handle, void (*closed)(void* handle));
  int (*poll_init)(uv_loop_s* loop, void* handle, int fd);
  int (*poll_start)(void* handle, int events,
                    void (*callback)(void* handle, int status, int events));
  int (*poll_stop)(void* handle);
  int (*prepare_init)(uv_loop_s* loop, void* handle);
  int (*prepare_start)(void* handle, void (*callback)(void* handle));
  int (*idle_init)(uv_loop_s* loop, void* handle);
  int (*idle_start)(void* handle, void (*callback)(void* handle));
  int (*idle_stop)(void* handle);
  int (*backend_fd)(const uv_loop_s* loop);
  int (*backend_timeout)(const uv_loop_s* loop);
  void (*update_time)(uv_loop_s* loop);
};

// uv.h: enum uv_handle_type and enum uv_poll_event, part of libuv's stable 1.x ABI.
constexpr int kUvIdleType = 6;
constexpr int kUvPollType = 8;
constexpr int kUvPrepareType = 9;
constexpr int kUvReadable = 1;

// Returns null where the process lacks one of them, or where its handle types are not those of
// libuv 1.x. It is asked only under Node: other runtimes export the names and abort when they are
// called.
const LibuvSymbols* FindLibuv();

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_LIBUV_SYMBOLS_H_
