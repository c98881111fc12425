// Echo over libuv as an expert writes it: one buffer lent to every read, uv_try_write first, and a
// write request only for what the socket did not take.
//
// The symbols are those that node exports, so this is the libuv that its users have. What libuv
// does by itself: level-triggered epoll with 1024 events per wait, SO_REUSEADDR before bind,
// accept4 with NONBLOCK and CLOEXEC until EAGAIN, read(2) again only after a read that filled the
// buffer (at most 32 in a row), write(2) for one buffer.
#include <netinet/in.h>
#include <uv.h>

#include <cstdlib>
#include <cstring>

#include "echo_peer.h"

namespace bench {
namespace {

uv_loop_t loop;
uv_tcp_t server;
int loop_error = 0;
char read_buffer[kReadBufferBytes];

void OnClosed(uv_handle_t* handle) { free(handle); }

void Close(uv_stream_t* stream) {
  auto* handle = reinterpret_cast<uv_handle_t*>(stream);
  if (!uv_is_closing(handle)) uv_close(handle, OnClosed);
}

void LendBuffer(uv_handle_t*, size_t, uv_buf_t* buffer) {
  *buffer = uv_buf_init(read_buffer, sizeof read_buffer);
}

void OnRead(uv_stream_t* stream, ssize_t received, const uv_buf_t* buffer);

void OnWritten(uv_write_t* request, int status) {
  uv_stream_t* stream = request->handle;
  free(request);
  if (status < 0 || uv_read_start(stream, LendBuffer, OnRead) != 0) Close(stream);
}

// Reading stops until the rest is out, so there is at most one write request for a connection. The
// bytes live behind the request, in the same block.
int QueueRest(uv_stream_t* stream, const char* data, size_t length) {
  auto* request = static_cast<uv_write_t*>(malloc(sizeof(uv_write_t) + length));
  if (request == nullptr) return UV_ENOMEM;
  auto* copy = reinterpret_cast<char*>(request + 1);
  memcpy(copy, data, length);
  const uv_buf_t rest = uv_buf_init(copy, static_cast<unsigned int>(length));
  const int error = uv_write(request, stream, &rest, 1, OnWritten);
  if (error == 0) return uv_read_stop(stream);
  free(request);
  return error;
}

void OnRead(uv_stream_t* stream, ssize_t received, const uv_buf_t* buffer) {
  if (received == 0) return;  // EAGAIN
  if (received < 0) return Close(stream);
  const size_t length = static_cast<size_t>(received);
  const uv_buf_t reply = uv_buf_init(buffer->base, static_cast<unsigned int>(length));
  int sent = uv_try_write(stream, &reply, 1);
  if (sent == UV_EAGAIN) sent = 0;
  if (sent < 0) return Close(stream);
  const size_t taken = static_cast<size_t>(sent);
  if (taken < length && QueueRest(stream, buffer->base + taken, length - taken) != 0) Close(stream);
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
      uv_read_start(stream, LendBuffer, OnRead) != 0) {
    Close(stream);
  }
}

}  // namespace

int LibuvTunedListen() {
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

int LibuvTunedRun() {
  uv_run(&loop, UV_RUN_DEFAULT);
  return loop_error;
}

}  // namespace bench
