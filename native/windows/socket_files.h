// Files of Unix sockets, which node:fs cannot look at here.
#ifndef TRIPOLL_WINDOWS_SOCKET_FILES_H_
#define TRIPOLL_WINDOWS_SOCKET_FILES_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace tripoll {

// A volume's serial number and a file's number in it (FILE_ID_INFO).
constexpr size_t kFileIdBytes = 24;

// Which file of a Unix socket a path, in UTF-8, names. 0, -ENOENT, -ENOTSOCK for another kind of
// file, or what else the system says.
int FindSocketFile(const std::string& path, uint8_t (&id)[kFileIdBytes]);

// Waits until a non-blocking connect has ended. 0, what it failed with, or -ETIMEDOUT.
int AwaitConnect(int fd, uint32_t timeout_ms);

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_SOCKET_FILES_H_
