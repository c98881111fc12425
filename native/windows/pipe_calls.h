// Named pipes as fds: what makes one, and the calls of socket_calls.h on it. Such an fd is the
// number of an object of its own, which stays the same whatever becomes of the pipe's handles: a
// listener has one handle for each client that it waits for.
#ifndef TRIPOLL_WINDOWS_PIPE_CALLS_H_
#define TRIPOLL_WINDOWS_PIPE_CALLS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "os_socket.h"

namespace tripoll {

// The server's end: an fd to accept from, or -errno; -EADDRINUSE where the name has a server
// already. `backlog` clients can connect before one is accepted. `remote`: also those of other
// machines.
int ListenOnPipe(const std::string& name, uint32_t backlog, bool remote);

// The client's end: an fd, or -errno; -EBUSY while the server has no instance free.
int ConnectToPipe(const std::string& name);

// How many fds of pipes there are in the process: while it is 0, calls on sockets look no further.
extern std::atomic<int> open_pipe_fds;
inline bool MayBePipe() { return open_pipe_fds.load(std::memory_order_relaxed) > 0; }

// n >= 0 or -errno as of a socket; nullopt of what is no pipe's fd.
std::optional<int> PipeRecv(int fd, void* buffer, size_t length, int flags);
std::optional<int> PipeSend(int fd, const iovec* buffers, size_t count);
std::optional<int> PipeAccept(int fd);
std::optional<int> PipeShutdown(int fd, int how);
std::optional<int> PipeTakeError(int fd);  // what SO_ERROR says, an errno
std::optional<int> PipeClose(int fd);
bool IsPipe(int fd);

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_PIPE_CALLS_H_
