#include "windows/pipe_port.h"

#include <algorithm>

#include "windows/port_calls.h"
#include "windows/win_error.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// Only ends the wait, which then looks at what was touched.
constexpr ULONG_PTR kLookKey = 3;

// Closed pipes whose last write the peer has not taken: each keeps a handle and 64 KiB at most, as
// long as the peer pleases. What Linux keeps of orphaned sockets is bounded likewise
// (tcp_max_orphans).
constexpr size_t kMostLingering = 64;

}  // namespace

PipePort::Registered* PipePort::Find(int fd, uint32_t slot, uint32_t generation) {
  const auto found = registered_.find(fd);
  if (found == registered_.end()) return nullptr;
  const Registration& known = found->second.registration;
  return known.slot == slot && known.generation == generation ? &found->second : nullptr;
}

bool PipePort::Owns(int fd, uint32_t slot, uint32_t generation) {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  return Find(fd, slot, generation) != nullptr;
}

int PipePort::Add(const Registration& r) {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  std::shared_ptr<PipeObject> object = FindPipe(r.fd);
  if (object == nullptr) return -EBADF;
  if (const auto known = registered_.find(r.fd); known != registered_.end()) {
    if (known->second.object != nullptr) return -EEXIST;
    // Its pipe was closed behind us, and the number belongs to this newer owner (T01).
    Erase(r.fd);
  }
  const int error = object->Attach(this);
  if (error < 0) return error;
  registered_[r.fd] = {r, object, false};
  object->Want(r.interest);
  if (object->Readiness(r.interest) != 0) Touch(r.fd);
  return 0;
}

int PipePort::Modify(const Registration& r) {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  Registered* known = Find(r.fd, r.slot, r.generation);
  if (known == nullptr) return -ENOENT;
  if (known->object == nullptr) return -EBADF;
  known->registration = r;
  known->object->Want(r.interest);
  if (known->object->Readiness(r.interest) != 0) Touch(r.fd);
  return 0;
}

int PipePort::Delete(int fd, uint32_t slot, uint32_t generation) {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  const Registered* known = Find(fd, slot, generation);
  if (known == nullptr) return 1;
  const bool lost = known->object == nullptr;
  if (!lost) known->object->Want(0);
  Erase(fd);
  return lost ? 1 : 0;
}

void PipePort::Erase(int fd) {
  registered_.erase(fd);
  listed_.erase(std::remove(listed_.begin(), listed_.end(), fd), listed_.end());
}

void PipePort::List(int fd) {
  const auto known = registered_.find(fd);
  if (known == registered_.end() || known->second.listed) return;
  known->second.listed = true;
  listed_.push_back(fd);
}

void PipePort::Touch(int fd) {
  List(fd);
  // Where none can be posted the next wait looks all the same.
  if (!in_packet_) static_cast<void>(os::PostPacket(port_, kLookKey));
}

void PipePort::OnClosed(int fd) {
  const auto known = registered_.find(fd);
  if (known == registered_.end()) return;
  known->second.object = nullptr;
  Touch(fd);
}

int PipePort::Collect(EventRecord* out, int room) {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  if (listed_.empty()) return 0;
  // Those that this batch has no room for come first in the next.
  std::vector<int> next;
  std::vector<int> again;
  int count = 0;
  for (const int fd : listed_) {
    if (count == room) {
      next.push_back(fd);
      continue;
    }
    Registered& known = registered_.at(fd);
    Registration& r = known.registration;
    known.listed = false;
    if (known.object == nullptr) {
      out[count++] = {r.slot, r.generation,
                      kError | (static_cast<uint32_t>(EBADF) << kReadinessErrnoShift)};
      continue;
    }
    const uint32_t readiness = known.object->Readiness(r.interest);
    if (readiness == 0) continue;
    out[count++] = {r.slot, r.generation, readiness};
    if ((r.mode & kModeOneshot) != 0) {
      r.interest = 0;
      known.object->Want(0);
    } else {
      known.listed = true;
      again.push_back(fd);
    }
  }
  next.insert(next.end(), again.begin(), again.end());
  listed_ = std::move(next);
  return count;
}

void PipePort::OnPacket(const OVERLAPPED_ENTRY& entry) {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  in_kernel_--;
  const auto index = static_cast<size_t>(entry.lpCompletionKey - kFirstKey);
  const std::shared_ptr<Pipe> pipe = index < pipes_.size() ? pipes_[index] : nullptr;
  if (pipe == nullptr) return;
  in_packet_ = true;
  const auto status = static_cast<LONG>(entry.lpOverlapped->Internal);
  pipe->OnPacket(entry.lpOverlapped, RtlNtStatusToDosError(status),
                 entry.dwNumberOfBytesTransferred);
  List(pipe->fd);
  in_packet_ = false;
  if (pipe->IsReleased()) Release(*pipe);
}

int PipePort::Associate(const std::shared_ptr<Pipe>& pipe) {
  const auto index = static_cast<uint32_t>(free_.empty() ? pipes_.size() : free_.back());
  if (CreateIoCompletionPort(pipe->handle(), port_, kFirstKey + index, 0) == nullptr)
    return FromWinError(GetLastError());
  if (free_.empty()) {
    pipes_.push_back(pipe);
  } else {
    free_.pop_back();
    pipes_[index] = pipe;
  }
  pipe->index = index;
  return 0;
}

void PipePort::Release(const Pipe& pipe) {
  if (pipes_[pipe.index].get() != &pipe) return;  // done before
  free_.push_back(pipe.index);
  pipes_[pipe.index] = nullptr;
}

bool PipePort::TakeLinger() {
  if (lingering_ == kMostLingering) return false;
  lingering_++;
  return true;
}

size_t PipePort::in_kernel() const {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  return in_kernel_;
}

void PipePort::CancelAll() {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  for (const auto& pipe : pipes_) {
    if (pipe != nullptr) pipe->CancelAll();
  }
}

// SAFETY: what the kernel may still write into is left allocated: a leak is better than a write
// into freed memory (T33).
void PipePort::End() {
  const std::lock_guard<std::mutex> lock(PipesMutex());
  for (PipeServer* server : servers_) server->port = nullptr;
  for (auto& pipe : pipes_) {
    if (pipe == nullptr) continue;
    pipe->Orphan();
    if (pipe->InKernel()) static_cast<void>(new std::shared_ptr<Pipe>(pipe));
  }
  pipes_.clear();
  registered_.clear();
  listed_.clear();
}

}  // namespace tripoll
