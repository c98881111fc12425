// Echo over libuv as its examples teach it: malloc of the suggested 64 KB for each read, a write
// request for each reply, both freed when the write is done. See libuv_tuned.cc for what libuv does
// by itself.
#include <netinet/in.h>
#include <uv.h>

#include <cstdlib>

#include "echo_peer.h"

namespace bench {
namespace {

uv_loop_t loop;
uv_tcp_t server;
int loop_error = 0;

struct WriteRequest {
  uv_write_t request;
  uv_buf_t buffer;
};

void OnClosed(uv_handle_t* handle) { free(handle); }

void Close(uv_stream_t* stream) {
  auto* handle = reinterpret_cast<uv_handle_t*>(stream);
  if (!uv_is_closing(handle)) uv_close(handle, OnClosed);
}

void AllocateBuffer(uv_handle_t*, size_t suggested, uv_buf_t* buffer) {
  auto* memory = static_cast<char*>(malloc(suggested));  // null: libuv reports UV_ENOBUFS to OnRead
  *buffer = uv_buf_init(memory, memory == nullptr ? 0 : static_cast<unsigned int>(suggested));
}

void OnWritten(uv_write_t* request, int status) {
  auto* write = reinterpret_cast<WriteRequest*>(request);
  uv_stream_t* stream = request->handle;
  free(write->buffer.base);
  free(write);
  if (status < 0) Close(stream);
}

void OnShutdown(uv_shutdown_t* request, int) {
  Close(request->handle);
  free(request);
}

// Replies still queued go out before the connection is closed.
void FinishAndClose(uv_stream_t* stream) {
  auto* request = static_cast<uv_shutdown_t*>(malloc(sizeof(uv_shutdown_t)));
  if (request != nullptr && uv_shutdown(request, stream, OnShutdown) == 0) return;
  free(request);
  Close(stream);
}

void WriteReply(uv_stream_t* stream, char* data, size_t length) {
  auto* write = static_cast<WriteRequest*>(malloc(sizeof(WriteRequest)));
  if (write == nullptr) abort();
  write->buffer = uv_buf_init(data, static_cast<unsigned int>(length));
  if (uv_write(&write->request, stream, &write->buffer, 1, OnWritten) == 0) return;
  free(data);
  free(write);
  Close(stream);
}

void OnRead(uv_stream_t* stream, ssize_t received, const uv_buf_t* buffer) {
  if (received > 0) return WriteReply(stream, buffer->base, static_cast<size_t>(received));
  free(buffer->base);
  if (received == UV_EOF) {
    FinishAndClose(stream);
  } else if (received < 0) {
    Close(stream);
  }
}

void OnConnection(uv_stream_t* listener, int status) {
  if (status < 0) {
    loop_error = status;
    return uv_stop(&loop);
  }
  auto* client = static_cast<uv_tcp_t*>(malloc(sizeof(uv_tcp_t)));
  if (client == nullptr) abort();
  uv_tcp_init(&loop, client);
  auto* stream = reinterpret_cast<uv_stream_t*>(client);
  if (uv_accept(listener, stream) != 0 || uv_tcp_nodelay(client, 1) != 0 ||
      uv_read_start(stream, AllocateBuffer, OnRead) != 0) {
    Close(stream);
  }
}

}  // namespace

int LibuvNaiveListen() {
  int error = uv_loop_init(&loop);
  if (error == 0) error = uv_tcp_init(&loop, &server);
  sockaddr_in address{};
  if (error == 0) error = uv_ip4_addr("127.0.0.1", 0, &address);
  if (error == 0) error = uv_tcp_bind(&server, reinterpret_cast<const sockaddr*>(&address), 0);
  if (error == 0)
    error = uv_listen(reinterpret_cast<uv_stream_t*>(&server), kBacklog, OnConnection);
  int length = sizeof address;
  if (error == 0)
    error = uv_tcp_getsockname(&server, reinterpret_cast<sockaddr*>(&address), &length);
  return error == 0 ? ntohs(address.sin_port) : error;
}

int LibuvNaiveRun() {
  uv_run(&loop, UV_RUN_DEFAULT);
  return loop_error;
}

}  // namespace bench
