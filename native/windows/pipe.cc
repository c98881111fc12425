#include "windows/pipe.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "windows/pipe_port.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// Whether an overlapped call has begun, so that its packet comes: also when it was done at once.
// ERROR_MORE_DATA is a warning, of a pipe whose writes are messages.
bool HasBegun(BOOL ok, DWORD* code) {
  *code = ok != 0 ? 0 : GetLastError();
  return *code == 0 || *code == ERROR_IO_PENDING || *code == ERROR_MORE_DATA;
}

// What the end of reading is: 0 when the peer has closed.
int ToReadError(DWORD code) {
  const bool is_end = code == ERROR_BROKEN_PIPE || code == ERROR_PIPE_NOT_CONNECTED ||
                      code == ERROR_NO_DATA || code == ERROR_HANDLE_EOF;
  return is_end ? 0 : FromWinError(code);
}

size_t TotalBytes(const iovec* buffers, size_t count) {
  size_t total = 0;
  for (size_t i = 0; i < count && total < kPipeBytes; i++) total += buffers[i].iov_len;
  return std::min<size_t>(total, kPipeBytes);
}

void CopyTo(char* to, size_t length, const iovec* buffers) {
  for (size_t done = 0; done < length; buffers++) {
    const size_t part = std::min(length - done, buffers->iov_len);
    if (part > 0) std::memcpy(to + done, buffers->iov_base, part);
    done += part;
  }
}

}  // namespace

PipeAction Pipe::Step(PipeHalf half, PipeInput input) {
  PipeState& state = half == PipeHalf::kReading ? reading_ : writing_;
  const PipeStep step = NextPipeStep(half, state, input);
  state = step.next;
  return step.action;
}

int Pipe::Attach(PipePort* to) {
  if (port != nullptr) return port == to ? 0 : -EINVAL;
  if (handle_ == kNoHandle) return -EINVAL;
  const int error = to->Associate(shared_from_this());
  if (error == 0) port = to;
  return error;
}

void Pipe::Want(uint32_t interest) {
  wants_read_ = (interest & kInterestReadable) != 0;
  StartRead();
}

uint32_t Pipe::Readiness(uint32_t interest) const {
  return ToPipeReadiness(reading_, writing_, interest);
}

// A read of no bytes is done when there are some, or the end, and takes none of them: so an idle
// pipe needs no buffer, and an abort loses nothing.
void Pipe::StartRead() {
  if (!wants_read_ || port == nullptr) return;
  if (IsFinished()) {
    // It does not wait for more: the next read tells that it is over.
    if (Step(PipeHalf::kReading, PipeInput::kFinish) == PipeAction::kCancel)
      static_cast<void>(CancelIoEx(handle_, &read_));
    port->Touch(fd);
    return;
  }
  if (Step(PipeHalf::kReading, PipeInput::kStart) != PipeAction::kSubmit) return;
  read_ = {};
  DWORD code = 0;
  if (HasBegun(ReadFile(handle_, &nothing_, 0, nullptr, &read_), &code)) {
    port->Began();
    return;
  }
  read_error_ = ToReadError(code);
  static_cast<void>(Step(PipeHalf::kReading, PipeInput::kRefused));
  port->Touch(fd);
}

int Pipe::Recv(void* buffer, size_t length, bool peek) {
  if (reading_ == PipeState::kEnded) return EndReading(read_error_);
  if (reading_ == PipeState::kPending) return -EAGAIN;
  DWORD available = 0;
  DWORD copied = 0;
  const auto room = static_cast<DWORD>(std::min<size_t>(length, INT32_MAX));
  if (PeekNamedPipe(handle_, peek ? buffer : nullptr, peek ? room : 0, &copied, &available,
                    nullptr) == 0)
    return EndReading(ToReadError(GetLastError()));
  if (available == 0) return OnNothing();
  if (peek) return static_cast<int>(copied);
  const int received = room == 0 ? 0 : ReadNow(buffer, std::min(room, available));
  if (received == -EAGAIN || received == static_cast<int>(available)) {
    static_cast<void>(Step(PipeHalf::kReading, PipeInput::kEmptied));
    StartRead();
  }
  return received;
}

int Pipe::OnNothing() {
  if (IsFinished()) {
    // All that came before it was over has been read. Now the peer hears the end too.
    CloseHandleNow();
    return EndReading(0);
  }
  if (read_error_ != 0) return EndReading(read_error_);
  static_cast<void>(Step(PipeHalf::kReading, PipeInput::kEmptied));
  StartRead();
  return -EAGAIN;
}

// Bytes that are there, which nobody else reads: it does not wait. No packet comes of it.
int Pipe::ReadNow(void* buffer, DWORD length) {
  OVERLAPPED now{};
  // The low bit of its event says so.
  const auto event = static_cast<uintptr_t>(static_cast<uint32_t>(fd)) | 1;
  now.hEvent = reinterpret_cast<HANDLE>(event);
  DWORD code = 0;
  DWORD received = 0;
  if (!HasBegun(ReadFile(handle_, buffer, length, nullptr, &now), &code))
    return EndReading(ToReadError(code));
  // SAFETY: it has ended, one way or the other, before the buffer is left.
  if (code == ERROR_IO_PENDING) static_cast<void>(CancelIoEx(handle_, &now));
  if (GetOverlappedResult(handle_, &now, &received, TRUE) == 0) {
    code = GetLastError();
    if (code == ERROR_OPERATION_ABORTED) return -EAGAIN;
    if (code != ERROR_MORE_DATA) return EndReading(ToReadError(code));
  }
  return received == 0 ? -EAGAIN : static_cast<int>(received);
}

int Pipe::EndReading(int error) {
  read_error_ = error;
  static_cast<void>(Step(PipeHalf::kReading, PipeInput::kEnd));
  // No further write would tell that bytes were lost.
  return error == 0 && finishing_ ? write_error_ : error;
}

int Pipe::Send(const iovec* buffers, size_t count) {
  if (writing_ == PipeState::kEnded) return write_error_;
  if (finishing_) return -EPIPE;
  if (port == nullptr || writing_ != PipeState::kIdle) return -EAGAIN;
  const size_t length = TotalBytes(buffers, count);
  // To the peer a write of no bytes may look like the end.
  if (length == 0) return 0;
  bytes_.reset(new (std::nothrow) char[length]);
  if (bytes_ == nullptr) return -ENOMEM;
  CopyTo(bytes_.get(), length, buffers);
  offset_ = 0;
  length_ = static_cast<DWORD>(length);
  static_cast<void>(Step(PipeHalf::kWriting, PipeInput::kStart));
  const int error = SubmitWrite();
  return error < 0 ? error : static_cast<int>(length);
}

int Pipe::SubmitWrite() {
  write_ = {};
  DWORD code = 0;
  if (HasBegun(WriteFile(handle_, bytes_.get() + offset_, length_ - offset_, nullptr, &write_),
               &code)) {
    port->Began();
    return 0;
  }
  write_error_ = FromWinError(code);
  static_cast<void>(Step(PipeHalf::kWriting, PipeInput::kRefused));
  bytes_.reset();
  return write_error_;
}

// A pipe has no half-close, so that the end of our side is the end of both: as soon as what was
// written is out, and what has come by then is read.
int Pipe::Shutdown(int how) {
  if (how != SHUT_WR) return -ENOTSUP;
  if (writing_ == PipeState::kEnded) return write_error_;
  finishing_ = true;
  StartRead();
  return 0;
}

bool Pipe::IsFinished() const { return finishing_ && !IsInKernel(writing_); }

int Pipe::TakeError() { return writing_ == PipeState::kEnded ? -write_error_ : 0; }

int Pipe::StartConnect(PipeServer* server) {
  read_ = {};
  DWORD code = 0;
  static_cast<void>(Step(PipeHalf::kReading, PipeInput::kStart));
  if (HasBegun(ConnectNamedPipe(handle_, &read_), &code)) {
    server_ = server;
    port->Began();
    return 0;
  }
  reading_ = PipeState::kIdle;
  // One that has gone again may have left bytes: it is a client like any other.
  if (code == ERROR_PIPE_CONNECTED || code == ERROR_NO_DATA) return 1;
  return FromWinError(code);
}

void Pipe::OnConnected(DWORD code) {
  PipeServer* const server = std::exchange(server_, nullptr);
  reading_ = PipeState::kIdle;
  server->OnInstance(this, code);
}

void Pipe::OnPacket(const OVERLAPPED* operation, DWORD code, DWORD bytes) {
  if (closed_) {
    OnPacketOfClosed(operation);
  } else if (operation == &write_) {
    OnWritten(code, bytes);
  } else if (operation == &read_ && server_ != nullptr) {
    OnConnected(code);
  } else if (operation == &read_) {
    // What an abort says is not known: the next read asks. Other errors it may not tell again.
    const bool failed = code != 0 && code != ERROR_MORE_DATA;
    if (failed && code != ERROR_OPERATION_ABORTED) read_error_ = ToReadError(code);
    static_cast<void>(Step(PipeHalf::kReading, failed ? PipeInput::kFailure : PipeInput::kPacket));
  }
}

void Pipe::OnPacketOfClosed(const OVERLAPPED* operation) {
  const PipeHalf half = operation == &write_ ? PipeHalf::kWriting : PipeHalf::kReading;
  static_cast<void>(Step(half, PipeInput::kPacket));
  if (half == PipeHalf::kWriting) bytes_.reset();
  if (!lingers_) return;
  lingers_ = false;
  port->GiveLinger();
  // The other half's packet comes of it.
  static_cast<void>(CancelIoEx(handle_, nullptr));
  CloseHandleNow();
}

void Pipe::OnWritten(DWORD code, DWORD bytes) {
  if (code == 0 && bytes > 0 && bytes < length_ - offset_) {
    offset_ += bytes;
    static_cast<void>(Step(PipeHalf::kWriting, PipeInput::kShort));
    static_cast<void>(SubmitWrite());
  } else {
    const bool failed = code != 0 || bytes == 0;
    if (failed) write_error_ = code == 0 ? -EIO : FromWinError(code);
    static_cast<void>(Step(PipeHalf::kWriting, failed ? PipeInput::kFailure : PipeInput::kPacket));
  }
  if (IsInKernel(writing_)) return;
  bytes_.reset();
  if (finishing_) StartRead();
}

// What was taken to be written goes out after the close, as on a socket: until the peer has read
// it, has closed, or has sent what nobody will read. Two ends could else wait for each other.
bool Pipe::MayLinger() {
  if (!IsInKernel(writing_)) return false;
  wants_read_ = true;
  StartRead();
  DWORD available = 0;
  return reading_ == PipeState::kPending &&
         PeekNamedPipe(handle_, nullptr, 0, nullptr, &available, nullptr) != 0 && available == 0 &&
         port->TakeLinger();
}

void Pipe::Close() {
  if (closed_) return;
  server_ = nullptr;
  lingers_ = MayLinger();
  closed_ = true;
  const PipeAction reading = Step(PipeHalf::kReading, PipeInput::kClose);
  const PipeAction writing = Step(PipeHalf::kWriting, PipeInput::kClose);
  if (!lingers_ && reading == PipeAction::kCancel) static_cast<void>(CancelIoEx(handle_, &read_));
  if (!lingers_ && writing == PipeAction::kLinger) static_cast<void>(CancelIoEx(handle_, &write_));
  // What the peer has not read yet stays there for it. Packets come without the handle too.
  if (!lingers_) CloseHandleNow();
  if (port != nullptr && IsReleased()) port->Release(*this);
}

bool Pipe::IsReleased() const { return closed_ && !InKernel(); }

void Pipe::CancelAll() {
  if (InKernel() && handle_ != kNoHandle) static_cast<void>(CancelIoEx(handle_, nullptr));
}

void Pipe::Orphan() {
  port = nullptr;
  server_ = nullptr;
  wants_read_ = false;
  if (closed_) return;
  if (read_error_ == 0) read_error_ = -ECANCELED;
  if (write_error_ == 0) write_error_ = -ECANCELED;
  static_cast<void>(Step(PipeHalf::kReading, PipeInput::kEnd));
  static_cast<void>(Step(PipeHalf::kWriting, PipeInput::kEnd));
}

void Pipe::CloseHandleNow() {
  const HANDLE handle = std::exchange(handle_, kNoHandle);
  if (handle != kNoHandle) CloseHandle(handle);
}

}  // namespace tripoll
