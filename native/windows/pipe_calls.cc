#include "windows/pipe_calls.h"

#include <unordered_map>

#include "windows/pipe.h"
#include "windows/pipe_port.h"
#include "windows/wide_text.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// By fd. Never destroyed: at the process's end the kernel may still write into what it holds.
std::unordered_map<int, std::shared_ptr<PipeObject>>& Objects() {
  static auto* const objects = new std::unordered_map<int, std::shared_ptr<PipeObject>>();
  return *objects;
}

}  // namespace

std::atomic<int> open_pipe_fds{0};

std::mutex& PipesMutex() {
  static auto* const mutex = new std::mutex();
  return *mutex;
}

std::shared_ptr<PipeObject> FindPipe(int fd) {
  const auto found = Objects().find(fd);
  return found == Objects().end() ? nullptr : found->second;
}

int OpenPipeFd(const std::shared_ptr<PipeObject>& object) {
  // Any object with a number would do: this one costs least.
  const HANDLE handle = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  if (handle == nullptr) return FromWinError(GetLastError());
  const auto number = reinterpret_cast<intptr_t>(handle);
  if (number <= 0 || number > INT32_MAX) {
    CloseHandle(handle);
    return -EMFILE;
  }
  object->fd = static_cast<int>(number);
  Objects()[object->fd] = object;
  open_pipe_fds++;
  return object->fd;
}

int PipeObject::Recv(void* /*buffer*/, size_t /*length*/, bool /*peek*/) { return -ENOTCONN; }
int PipeObject::Send(const iovec* /*buffers*/, size_t /*count*/) { return -ENOTCONN; }
int PipeObject::Accept() { return -EINVAL; }
int PipeObject::Shutdown(int /*how*/) { return -ENOTCONN; }

int ListenOnPipe(const std::string& name, uint32_t backlog, bool remote) {
  const std::wstring wide = ToWide(name);
  if (wide.empty() || backlog == 0) return -EINVAL;
  const std::lock_guard<std::mutex> lock(PipesMutex());
  const auto server = std::make_shared<PipeServer>(wide, backlog, remote);
  int result = server->Open();
  if (result == 0) result = OpenPipeFd(server);
  if (result < 0) server->Close();
  return result;
}

int ConnectToPipe(const std::string& name) {
  const std::wstring wide = ToWide(name);
  if (wide.empty()) return -EINVAL;
  // The server is told who we are, and can do nothing in our name.
  const DWORD flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
  const HANDLE handle = CreateFileW(wide.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                    OPEN_EXISTING, flags, nullptr);
  if (handle == kNoHandle) return FromWinError(GetLastError());
  const auto pipe = std::make_shared<Pipe>(handle);
  // Windows resolves `..`, which leads from the pipes to any file or device.
  if (GetFileType(handle) != FILE_TYPE_PIPE) return -EINVAL;
  const std::lock_guard<std::mutex> lock(PipesMutex());
  return OpenPipeFd(pipe);
}

namespace {

template <typename Call>
std::optional<int> CallPipe(int fd, Call call) {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  const std::shared_ptr<PipeObject> object = FindPipe(fd);
  if (object == nullptr) return std::nullopt;
  return call(object.get());
}

}  // namespace

bool IsPipe(int fd) {
  return MayBePipe() && CallPipe(fd, [](PipeObject* /*pipe*/) { return 0; }).has_value();
}

std::optional<int> PipeRecv(int fd, void* buffer, size_t length, int flags) {
  const bool peek = (flags & MSG_PEEK) != 0;
  return CallPipe(fd, [=](PipeObject* pipe) { return pipe->Recv(buffer, length, peek); });
}

std::optional<int> PipeSend(int fd, const iovec* buffers, size_t count) {
  return CallPipe(fd, [=](PipeObject* pipe) { return pipe->Send(buffers, count); });
}

std::optional<int> PipeAccept(int fd) {
  return CallPipe(fd, [](PipeObject* pipe) { return pipe->Accept(); });
}

std::optional<int> PipeShutdown(int fd, int how) {
  return CallPipe(fd, [=](PipeObject* pipe) { return pipe->Shutdown(how); });
}

std::optional<int> PipeTakeError(int fd) {
  return CallPipe(fd, [](PipeObject* pipe) { return pipe->TakeError(); });
}

std::optional<int> PipeClose(int fd) {
  return CallPipe(fd, [fd](PipeObject* pipe) {
    PipePort* const port = pipe->port;
    pipe->Close();
    if (port != nullptr) port->OnClosed(fd);
    Objects().erase(fd);
    open_pipe_fds--;
    CloseHandle(reinterpret_cast<HANDLE>(static_cast<uintptr_t>(static_cast<uint32_t>(fd))));
    return 0;
  });
}

}  // namespace tripoll
