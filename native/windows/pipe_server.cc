#include <algorithm>
#include <utility>

#include "windows/pipe.h"
#include "windows/pipe_calls.h"
#include "windows/pipe_port.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

HANDLE PipeServer::CreateInstance(bool first) const {
  DWORD open = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED;
  DWORD mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT;
  // Else another process could have been there first, and have the clients of the name.
  if (first) open |= FILE_FLAG_FIRST_PIPE_INSTANCE;
  if (!remote_) mode |= PIPE_REJECT_REMOTE_CLIENTS;
  SetLastError(0);
  const HANDLE handle = CreateNamedPipeW(name_.c_str(), open, mode, PIPE_UNLIMITED_INSTANCES,
                                         kPipeBytes, kPipeBytes, 0, nullptr);
  if (!first || handle == kNoHandle || GetLastError() != ERROR_ALREADY_EXISTS) return handle;
  // Wine does not heed the flag, and says so only here.
  CloseHandle(handle);
  SetLastError(ERROR_ACCESS_DENIED);
  return kNoHandle;
}

int PipeServer::Open() {
  const HANDLE first = CreateInstance(true);
  if (first == kNoHandle) {
    const DWORD code = GetLastError();
    // What Windows says of a second first one.
    return code == ERROR_ACCESS_DENIED ? -EADDRINUSE : FromWinError(code);
  }
  waiting_.push_back(std::make_shared<Pipe>(first));
  Refill();
  return 0;
}

// Up to `backlog` of them. What cannot be had now is tried again by the next accept.
void PipeServer::Refill() {
  for (size_t i = instances(); i < backlog_; i++) {
    const HANDLE handle = CreateInstance(false);
    int error = handle == kNoHandle ? FromWinError(GetLastError()) : 0;
    if (error == 0) {
      auto pipe = std::make_shared<Pipe>(handle);
      waiting_.push_back(pipe);
      if (port != nullptr) error = Serve(pipe);
    }
    if (error == 0) continue;
    if (instances() == 0) error_ = error;
    return;
  }
}

// Waits for its client.
int PipeServer::Serve(const std::shared_ptr<Pipe>& pipe) {
  int result = pipe->Attach(port);
  if (result == 0) result = pipe->StartConnect(this);
  if (result == 0) return 0;
  waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), pipe), waiting_.end());
  if (result < 0) {
    pipe->Close();
    return result;
  }
  connected_.push_back(pipe);
  port->Touch(fd);
  return 0;
}

int PipeServer::Attach(PipePort* to) {
  if (port != nullptr) return port == to ? 0 : -EINVAL;
  port = to;
  to->AddServer(this);
  const std::vector<std::shared_ptr<Pipe>> pipes = waiting_;
  for (const auto& pipe : pipes) {
    const int error = Serve(pipe);
    if (error < 0 && instances() == 0) error_ = error;
  }
  return 0;
}

void PipeServer::Want(uint32_t interest) {
  if ((interest & kInterestReadable) != 0) Refill();
}

uint32_t PipeServer::Readiness(uint32_t interest) const {
  const bool ready = !connected_.empty() || error_ != 0;
  return ready && (interest & kInterestReadable) != 0 ? uint32_t{kReadable} : 0;
}

void PipeServer::OnInstance(Pipe* pipe, DWORD code) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [pipe](const auto& other) { return other.get() == pipe; });
  if (found == waiting_.end()) return;
  const std::shared_ptr<Pipe> instance = *found;
  waiting_.erase(found);
  if (code == 0) {
    connected_.push_back(instance);
  } else {
    instance->Close();
    if (instances() == 0) error_ = FromWinError(code);
  }
  port->Touch(fd);
}

int PipeServer::Accept() {
  if (connected_.empty()) {
    const int error = std::exchange(error_, 0);
    return error < 0 ? error : -EAGAIN;
  }
  const std::shared_ptr<Pipe> pipe = connected_.front();
  const int accepted = OpenPipeFd(pipe);
  if (accepted < 0) return accepted;
  connected_.pop_front();
  Refill();
  return accepted;
}

void PipeServer::Close() {
  for (const auto& pipe : waiting_) pipe->Close();
  for (const auto& pipe : connected_) pipe->Close();
  waiting_.clear();
  connected_.clear();
  if (port != nullptr) port->RemoveServer(this);
}

}  // namespace tripoll
