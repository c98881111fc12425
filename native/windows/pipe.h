#ifndef TRIPOLL_WINDOWS_PIPE_H_
#define TRIPOLL_WINDOWS_PIPE_H_

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "poller.h"
#include "windows/os_socket.h"
#include "windows/pipe_state.h"
#include "windows/windows_headers.h"

namespace tripoll {

class PipePort;
class PipeServer;

// One for all pipes of the process: calls come from the threads of JavaScript, packets from the
// thread that waits, and no call is made under it that could wait. Everything of this file and of
// pipe_port.h is called with it held, unless it says otherwise.
std::mutex& PipesMutex();

// The buffers of each direction, as libuv has them; and the most that one write takes, so that what
// a closed pipe keeps is bounded.
constexpr DWORD kPipeBytes = 65536;

const HANDLE kNoHandle = INVALID_HANDLE_VALUE;

// What an fd of a pipe stands for.
class PipeObject {
 public:
  PipeObject() = default;
  PipeObject(const PipeObject&) = delete;
  PipeObject& operator=(const PipeObject&) = delete;
  virtual ~PipeObject() = default;

  // Its packets come to this port from here on: of another than its first, -EINVAL (T30).
  virtual int Attach(PipePort* port) = 0;
  // What the registration waits for has changed.
  virtual void Want(uint32_t interest) = 0;
  virtual uint32_t Readiness(uint32_t interest) const = 0;
  virtual void Close() = 0;

  // What other calls than its own answer.
  virtual int Recv(void* /*buffer*/, size_t /*length*/, bool /*peek*/);
  virtual int Send(const iovec* /*buffers*/, size_t /*count*/);
  virtual int Accept();
  virtual int Shutdown(int /*how*/);
  virtual int TakeError() { return 0; }

  int fd = -1;  // -1: an instance that was not accepted yet
  PipePort* port = nullptr;
};

// One end of a connected pipe, or an instance that waits for its client. Each half has one
// operation at most in the kernel.
class Pipe final : public PipeObject, public std::enable_shared_from_this<Pipe> {
 public:
  explicit Pipe(HANDLE handle) : handle_(handle) {}
  ~Pipe() override { CloseHandleNow(); }

  int Attach(PipePort* to) override;
  void Want(uint32_t interest) override;
  uint32_t Readiness(uint32_t interest) const override;
  void Close() override;
  int Recv(void* buffer, size_t length, bool peek) override;
  int Send(const iovec* buffers, size_t count) override;
  int Shutdown(int how) override;
  int TakeError() override;

  // Waits for a client, for the server that is told: 1 if one is there already, 0, or -errno.
  int StartConnect(PipeServer* server);
  void LeaveServer() { server_ = nullptr; }
  // `code`: of Windows.
  void OnPacket(const OVERLAPPED* operation, DWORD code, DWORD bytes);
  bool IsReleased() const;
  bool InKernel() const { return IsInKernel(reading_) || IsInKernel(writing_); }
  // The port ends: all operations do, and what comes after them fails.
  void CancelAll();
  void Orphan();

  HANDLE handle() const { return handle_; }
  uint32_t index = 0;  // in its port

 private:
  PipeAction Step(PipeHalf half, PipeInput input);
  void StartRead();
  int ReadNow(void* buffer, DWORD length);
  int OnNothing();
  int EndReading(int error);
  int SubmitWrite();
  void OnWritten(DWORD code, DWORD bytes);
  void OnConnected(DWORD code);
  bool IsFinished() const;
  bool MayLinger();
  void OnPacketOfClosed(const OVERLAPPED* operation);
  void CloseHandleNow();

  HANDLE handle_;
  PipeServer* server_ = nullptr;  // while it waits for its client
  PipeState reading_ = PipeState::kIdle;
  PipeState writing_ = PipeState::kIdle;
  bool wants_read_ = false;
  bool finishing_ = false;  // our side has ended
  bool closed_ = false;
  bool lingers_ = false;  // its write goes on after the close
  int read_error_ = 0;    // 0: a clean end
  int write_error_ = 0;
  // SAFETY: the kernel writes into these until their packets have come (T33): until then the port's
  // list, or what it leaks at its end, keeps the pipe.
  OVERLAPPED read_{};  // of a read of no bytes, or of the wait for a client
  OVERLAPPED write_{};
  char nothing_ = 0;
  std::unique_ptr<char[]> bytes_;  // what is being written
  DWORD offset_ = 0;
  DWORD length_ = 0;
};

// A name, and the instances of it that wait for a client.
class PipeServer final : public PipeObject {
 public:
  PipeServer(std::wstring name, uint32_t backlog, bool remote)
      : name_(std::move(name)), backlog_(backlog), remote_(remote) {}

  int Open();
  int Attach(PipePort* to) override;
  void Want(uint32_t interest) override;
  uint32_t Readiness(uint32_t interest) const override;
  void Close() override;
  int Accept() override;

  // What became of an instance: a client, or an error of Windows.
  void OnInstance(Pipe* pipe, DWORD code);

 private:
  HANDLE CreateInstance(bool first) const;
  size_t instances() const { return waiting_.size() + connected_.size(); }
  int Serve(const std::shared_ptr<Pipe>& pipe);
  void Refill();

  const std::wstring name_;
  const uint32_t backlog_;
  const bool remote_;
  int error_ = 0;  // why there is no instance left
  std::vector<std::shared_ptr<Pipe>> waiting_;
  std::deque<std::shared_ptr<Pipe>> connected_;
};

// A new fd for it: the number, or -errno.
int OpenPipeFd(const std::shared_ptr<PipeObject>& object);
// Null of what is no pipe's fd.
std::shared_ptr<PipeObject> FindPipe(int fd);

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_PIPE_H_
