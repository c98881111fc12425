#include "faulty_afd.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "os_errno.h"
#include "windows/port_calls.h"

namespace fault {

namespace {

constexpr LONG kCancelled = static_cast<LONG>(0xC0000120);

std::deque<OVERLAPPED_ENTRY> packets;
int start_error = 0;
bool complete_on_cancel = false;
DWORD wait_code = 0;
int wait_times = 0;
intptr_t next_afd = 4;

}  // namespace

std::vector<Poll>& Polls() {
  static std::vector<Poll> polls;
  return polls;
}
int& MostOfOneSocket() {
  static int most = 0;
  return most;
}
int& MostOfOneAfd() {
  static int most = 0;
  return most;
}
int& OpenAfds() {
  static int open = 0;
  return open;
}

void FailStart(int error) { start_error = error; }
void FailWait(DWORD code, int times) {
  wait_code = code;
  wait_times = times;
}

void CompleteOnCancel() { complete_on_cancel = true; }
size_t Packets() { return packets.size(); }

void Complete(size_t index, uint32_t events) {
  const Poll poll = Polls()[index];
  Polls().erase(Polls().begin() + static_cast<std::ptrdiff_t>(index));
  // As the kernel: into memory that must still be the poll's (T33).
  poll.memory->status.Status = events == 0 ? kCancelled : 0;
  poll.memory->info.count = events == 0 ? 0 : 1;
  poll.memory->info.handles[0].events = events;
  OVERLAPPED_ENTRY entry{};
  entry.lpOverlapped = reinterpret_cast<OVERLAPPED*>(poll.context);
  packets.push_back(entry);
}

int CompleteCancelled() {
  int count = 0;
  for (size_t i = Polls().size(); i-- > 0;) {
    if (!Polls()[i].cancelled) continue;
    Complete(i, 0);
    count++;
  }
  return count;
}

void Reset() {
  Polls().clear();
  packets.clear();
  MostOfOneSocket() = MostOfOneAfd() = OpenAfds() = 0;
  start_error = 0;
  complete_on_cancel = false;
  wait_times = 0;
}

}  // namespace fault

namespace tripoll {

int OpenAfd(HANDLE /*port*/, HANDLE* afd) {
  fault::OpenAfds()++;
  *afd = reinterpret_cast<HANDLE>(fault::next_afd += 4);
  return 0;
}
void CloseAfd(HANDLE /*afd*/) { fault::OpenAfds()--; }

int StartAfdPoll(HANDLE afd, SOCKET base, uint32_t events, uintptr_t context, AfdPoll* poll) {
  if (fault::start_error != 0) return -std::exchange(fault::start_error, 0);
  poll->status.Status = 0x103;
  poll->info.handles[0].events = 0;
  fault::Polls().push_back({afd, base, events, context, poll, false});
  // A poll that was cancelled ends without anyone's doing: what counts are those that would not.
  const auto same = [&](auto member, auto value) {
    return static_cast<int>(std::count_if(
        fault::Polls().begin(), fault::Polls().end(),
        [&](const fault::Poll& one) { return !one.cancelled && one.*member == value; }));
  };
  fault::MostOfOneSocket() = std::max(fault::MostOfOneSocket(), same(&fault::Poll::base, base));
  fault::MostOfOneAfd() = std::max(fault::MostOfOneAfd(), same(&fault::Poll::afd, afd));
  return 0;
}

int CancelAfdPoll(HANDLE /*afd*/, AfdPoll* poll) {
  for (fault::Poll& one : fault::Polls()) {
    if (one.memory == poll) one.cancelled = true;
  }
  if (fault::complete_on_cancel) static_cast<void>(fault::CompleteCancelled());
  return 0;
}

uint32_t AfdEvents(const AfdPoll& poll) {
  return poll.status.Status != 0 || poll.info.count < 1 ? 0 : poll.info.handles[0].events;
}

int AskSocket(SOCKET /*socket*/, DWORD /*code*/, SOCKET* /*out*/) { return -ENOTSUP; }
int FindBaseSocket(SOCKET socket, SocketIoctl /*ioctl*/, SOCKET* base) {
  *base = socket;
  return 0;
}

namespace os {

int CreatePort(HANDLE* port) {
  *port = CreateEventW(nullptr, FALSE, FALSE, nullptr);  // to have something that can be closed
  return 0;
}

int PostPacket(HANDLE /*port*/, ULONG_PTR key) {
  OVERLAPPED_ENTRY entry{};
  entry.lpCompletionKey = key;
  fault::packets.push_back(entry);
  return 0;
}

DWORD WaitForPackets(HANDLE /*port*/, OVERLAPPED_ENTRY* entries, ULONG room, DWORD /*wait_ms*/,
                     ULONG* count) {
  *count = 1;
  if (fault::wait_times > 0) {
    fault::wait_times--;
    return fault::wait_code;
  }
  if (fault::packets.empty()) return WAIT_TIMEOUT;
  *count = 0;
  while (*count < room && !fault::packets.empty()) {
    entries[(*count)++] = fault::packets.front();
    fault::packets.pop_front();
  }
  return 0;
}

}  // namespace os

}  // namespace tripoll
