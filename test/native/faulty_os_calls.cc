#include "faulty_os_calls.h"

#include <map>
#include <mutex>
#include <utility>

#include "os_calls.h"

// The real calls, once more under another name. os_calls.h came before, so it is not renamed.
#define os real_os
#include "unix/os_calls.cc"  // NOLINT(bugprone-suspicious-include)
#if __has_include(<sys/epoll.h>)
#include "linux/os_calls.cc"    // NOLINT(bugprone-suspicious-include)
#include "linux/poll_calls.cc"  // NOLINT(bugprone-suspicious-include)
#else
#include "bsd/os_calls.cc"    // NOLINT(bugprone-suspicious-include)
#include "bsd/poll_calls.cc"  // NOLINT(bugprone-suspicious-include)
#endif
#include "bsd/kqueue_calls.cc"  // NOLINT(bugprone-suspicious-include)
#undef os

namespace fault {
namespace {

struct Plan {
  int error = 0;
  int times = 0;
  int calls = 0;
  std::function<void()> first;
  std::function<void()> then;
};

std::mutex mutex;  // pollers are waited on and woken from different threads
std::map<std::string, Plan> plans;
bool polls_as_xnu = false;

int Take(const std::string& call) {
  const std::lock_guard<std::mutex> lock(mutex);
  Plan& plan = plans[call];
  ++plan.calls;
  if (plan.times == 0) return 0;
  if (plan.times > 0) --plan.times;
  return plan.error;
}

void RunBefore(const std::string& call) {
  std::function<void()> first;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    first = std::exchange(plans[call].first, nullptr);
  }
  if (first) first();
}

void RunAfter(const std::string& call) {
  std::function<void()> then;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    then = std::exchange(plans[call].then, nullptr);
  }
  if (then) then();
}

// What bsd/kern/sys_generic.c makes of the kevents of one pollfd.
void SpeakAsXnu(pollfd* fd) {
  const int said = fd->revents;
#ifdef POLLRDHUP
  const bool ended = (said & (POLLHUP | POLLRDHUP)) != 0;
#else
  const bool ended = (said & POLLHUP) != 0;
#endif
  int revents = said & (POLLIN | POLLOUT | POLLPRI | POLLNVAL);
  if ((said & POLLERR) != 0) revents |= fd->events & (POLLIN | POLLOUT);
  if (ended) revents = (revents & ~POLLOUT) | (fd->events & POLLIN) | POLLHUP;
  fd->revents = static_cast<short>(revents);
}

}  // namespace

void Inject(const std::string& call, int error, int times) {
  const std::lock_guard<std::mutex> lock(mutex);
  plans[call].error = error;
  plans[call].times = times;
}

void After(const std::string& call, std::function<void()> then) {
  const std::lock_guard<std::mutex> lock(mutex);
  plans[call].then = std::move(then);
}

void Before(const std::string& call, std::function<void()> first) {
  const std::lock_guard<std::mutex> lock(mutex);
  plans[call].first = std::move(first);
}

int Calls(const std::string& call) {
  const std::lock_guard<std::mutex> lock(mutex);
  return plans[call].calls;
}

void PollAsXnu() { polls_as_xnu = true; }

void Reset() {
  const std::lock_guard<std::mutex> lock(mutex);
  polls_as_xnu = false;
  plans.clear();
}

}  // namespace fault

// A call that native/os_calls.h gains, and this list lacks, is reported by the linker.
#define CALL(name, parameters, arguments)                           \
  int name parameters {                                             \
    fault::RunBefore(#name);                                        \
    if (const int error = fault::Take(#name); error) return -error; \
    const int result = real_os::name arguments;                     \
    fault::RunAfter(#name);                                         \
    return result;                                                  \
  }

namespace tripoll::os {

CALL(Socket, (int domain, int type, int protocol), (domain, type, protocol))
CALL(Bind, (int fd, const sockaddr* address, socklen_t length), (fd, address, length))
CALL(Listen, (int fd, int backlog), (fd, backlog))
CALL(Accept4, (int fd, sockaddr* address, socklen_t* length, int flags),
     (fd, address, length, flags))
CALL(Connect, (int fd, const sockaddr* address, socklen_t length), (fd, address, length))
CALL(Recv, (int fd, void* buffer, size_t length, int flags), (fd, buffer, length, flags))
CALL(Send, (int fd, const void* buffer, size_t length, int flags), (fd, buffer, length, flags))
CALL(Sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags))
CALL(Recvmsg, (int fd, msghdr* message, int flags), (fd, message, flags))
CALL(Sendmmsg, (int fd, BatchMessage* messages, unsigned count, int flags),
     (fd, messages, count, flags))
CALL(Recvmmsg, (int fd, BatchMessage* messages, unsigned count, int flags),
     (fd, messages, count, flags))
CALL(Shutdown, (int fd, int how), (fd, how))
CALL(Socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
CALL(Getsockname, (int fd, sockaddr* address, socklen_t* length), (fd, address, length))
CALL(Getpeername, (int fd, sockaddr* address, socklen_t* length), (fd, address, length))
CALL(Setsockopt, (int fd, int level, int name, const void* value, socklen_t length),
     (fd, level, name, value, length))
CALL(Getsockopt, (int fd, int level, int name, void* value, socklen_t* length),
     (fd, level, name, value, length))
CALL(Read, (int fd, void* buffer, size_t length), (fd, buffer, length))
CALL(Write, (int fd, const void* buffer, size_t length), (fd, buffer, length))
CALL(Writev, (int fd, const iovec* buffers, int count), (fd, buffers, count))
CALL(Fcntl, (int fd, int command, int argument), (fd, command, argument))
CALL(Pipe2, (int fds[2], int flags), (fds, flags))
CALL(Close, (int fd), (fd))
CALL(OpenFile, (const char* path, int flags), (path, flags))
CALL(Fstat, (int fd, struct stat* status), (fd, status))
CALL(Fchmod, (int fd, uint32_t mode), (fd, mode))
int Poll(pollfd* fds, size_t count, int timeout_ms) {
  fault::RunBefore("Poll");
  if (const int error = fault::Take("Poll"); error) return -error;
#ifdef POLLRDHUP
  // Its filter for reading has EV_EOF for who waits for POLLPRI too.
  for (size_t i = 0; fault::polls_as_xnu && i < count; i++) {
    if ((fds[i].events & POLLPRI) != 0) fds[i].events |= POLLRDHUP;
  }
#endif
  const int result = real_os::Poll(fds, count, timeout_ms);
  for (size_t i = 0; fault::polls_as_xnu && i < count; i++) fault::SpeakAsXnu(&fds[i]);
  fault::RunAfter("Poll");
  return result;
}
PollFacts FactsOfPoll() {
  return fault::polls_as_xnu ? PollFacts{false, false} : PollFacts{true, true};
}
CALL(Ioctl, (int fd, unsigned long request, void* argument), (fd, request, argument))
CALL(IfNametoindex, (const char* name), (name))
CALL(Kqueue, (), ())

int Kevent(int kqueue_fd, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, int64_t timeout_ns) {
  fault::RunBefore("Kevent");
  if (const int error = fault::Take("Kevent"); error) return -error;
  const int count =
      real_os::Kevent(kqueue_fd, changes, change_count, events, event_count, timeout_ns);
  fault::RunAfter("Kevent");
  for (int i = 0; i < count && change_count > 0; i++) {
    if (const int error = fault::Take("Receipt"); error) events[i].data = error;
    if (events[i].filter != EVFILT_WRITE) continue;
    if (const int error = fault::Take("Receipt of EVFILT_WRITE"); error) events[i].data = error;
  }
  if (const int error = fault::Take("Kevent after"); error) return -error;
  return count;
}

#if __has_include(<sys/epoll.h>)
CALL(EpollCreate1, (int flags), (flags))
CALL(EpollCtl, (int epoll_fd, int operation, int fd, epoll_event* event),
     (epoll_fd, operation, fd, event))
CALL(EpollWait, (int epoll_fd, epoll_event* events, int capacity, int timeout_ms),
     (epoll_fd, events, capacity, timeout_ms))
CALL(EpollPwait2, (int epoll_fd, epoll_event* events, int capacity, int64_t timeout_ns),
     (epoll_fd, events, capacity, timeout_ns))
CALL(Eventfd, (unsigned initial, int flags), (initial, flags))
CALL(TimerfdCreate, (int flags), (flags))
CALL(TimerfdSettime, (int fd, int64_t timeout_ns), (fd, timeout_ns))
CALL(Sendfile, (int out_fd, int in_fd, int64_t offset, size_t length),
     (out_fd, in_fd, offset, length))
CALL(Splice, (int in_fd, int out_fd, size_t length), (in_fd, out_fd, length))
CALL(MapMemory, (size_t length, void** memory), (length, memory))
CALL(UnmapMemory, (void* memory, size_t length), (memory, length))
CALL(TimerfdCreateOn, (int clock, int flags), (clock, flags))
CALL(TimerfdSet, (int fd, int flags, int64_t value_ns, int64_t period_ns),
     (fd, flags, value_ns, period_ns))
CALL(PidfdOpen, (int pid, int flags), (pid, flags))
CALL(PidfdSendSignal, (int fd, int signal), (fd, signal))
CALL(Waitid, (int id_type, unsigned id, siginfo_t* status, int options),
     (id_type, id, status, options))
CALL(InotifyInit1, (int flags), (flags))
CALL(InotifyAddWatch, (int fd, const char* path, uint32_t mask), (fd, path, mask))
CALL(InotifyRmWatch, (int fd, int watch), (fd, watch))
#endif

}  // namespace tripoll::os
