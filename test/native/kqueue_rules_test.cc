// The rules of kqueue(2) that the backend relies on, each from FreeBSD's manual page in few words,
// asked of whatever is behind <sys/event.h>: on Linux the shim of test/support/kqueue-shim, whose
// test this is, elsewhere the kernel.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <cerrno>
#include <thread>

#include "bsd/kqueue_change.h"
#include "check.h"
#include "os_calls.h"

namespace {

namespace os = tripoll::os;
using Event = struct kevent;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMsNs = 1'000'000;

uint32_t Flags(const Event& event) { return static_cast<uint32_t>(event.flags); }

class Kq {
 public:
  ~Kq() { static_cast<void>(os::Close(fd_)); }

  // 0, or the errno that the receipt of the one change tells.
  int Change(int ident, int filter, uint32_t flags, uint32_t fflags = 0, uint64_t udata = 0) {
    const Event change = tripoll::MakeChange(static_cast<uintptr_t>(ident), filter,
                                             flags | EV_RECEIPT, fflags, udata);
    CHECK_EQ(os::Kevent(fd_, &change, 1, events, 1, -1), 1);
    // A receipt has EV_ERROR set, and the errno or 0 as its data.
    CHECK((Flags(events[0]) & EV_ERROR) != 0);
    return static_cast<int>(events[0].data);
  }
  int Wait(int64_t timeout_ns = 0, int capacity = 8) {
    return os::Kevent(fd_, nullptr, 0, events, capacity, timeout_ns);
  }
  int fd() const { return fd_; }

  Event events[8] = {};

 private:
  const int fd_ = os::Kqueue();
};

struct Pair {
  explicit Pair(bool pipe) {
    const int error = pipe ? os::Pipe2(fds, O_NONBLOCK | O_CLOEXEC)
                           : os::Socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    CHECK_EQ(error, 0);
  }
  ~Pair() {
    CloseEnd(0);
    CloseEnd(1);
  }
  void CloseEnd(int end) {
    if (fds[end] >= 0) CHECK_EQ(os::Close(fds[end]), 0);
    fds[end] = -1;
  }
  void Send(const char* bytes, size_t length) const {
    CHECK_EQ(os::Write(fds[1], bytes, length), static_cast<int>(length));
  }
  void Drain() const {
    char bytes[64];
    CHECK(os::Read(fds[0], bytes, sizeof bytes) > 0);
  }
  int fds[2] = {-1, -1};
};

}  // namespace

TEST(EV_ADD_adds_and_adding_again_makes_no_second_entry) {
  Kq kq;
  const Pair pipe(true);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD, 0, 1), 0);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD, 0, 2), 0);
  pipe.Send("abc", 3);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  // Re-adding changes the parameters: udata is the newer one.
  CHECK_EQ(tripoll::TokenOf(kq.events[0]), uint64_t{2});
  // An entry is its ident and its filter.
  CHECK_EQ(kq.events[0].ident, static_cast<uintptr_t>(pipe.fds[0]));
  CHECK_EQ(static_cast<int>(kq.events[0].filter), static_cast<int>(EVFILT_READ));
  // For EVFILT_READ data is how many bytes there are to read.
  CHECK_EQ(kq.events[0].data, 3);
}

TEST(without_flags_for_the_mode_it_is_told_as_long_as_it_is_so) {
  Kq kq;
  const Pair pipe(true);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD), 0);
  CHECK_EQ(kq.Wait(), 0);
  pipe.Send("x", 1);
  for (int i = 0; i < 3; i++) CHECK_EQ(kq.Wait(kSecondNs), 1);
  pipe.Drain();
  // The condition is looked at again when the event would be taken.
  CHECK_EQ(kq.Wait(), 0);
}

TEST(EV_CLEAR_forgets_the_state_when_it_has_been_told) {
  Kq kq;
  const Pair pipe(true);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0);
  pipe.Send("x", 1);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK_EQ(kq.Wait(kMsNs), 0);
  pipe.Send("x", 1);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
}

TEST(EV_ONESHOT_deletes_the_entry_when_it_has_been_told) {
  Kq kq;
  const Pair pipe(true);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_ONESHOT), 0);
  pipe.Send("x", 1);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK_EQ(kq.Wait(kMsNs), 0);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ENABLE), ENOENT);
}

TEST(EV_DISPATCH_disables_the_entry_when_it_has_been_told) {
  Kq kq;
  const Pair pipe(true);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_DISPATCH), 0);
  pipe.Send("x", 1);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK_EQ(kq.Wait(kMsNs), 0);
  // The entry is there; with EV_ADD, EV_ENABLE has it told again (T25).
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_ENABLE | EV_DISPATCH), 0);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK_EQ(kq.Wait(kMsNs), 0);
}

TEST(EV_DISABLE_keeps_the_entry_and_EV_ENABLE_has_it_told_again) {
  Kq kq;
  const Pair pipe(true);
  pipe.Send("x", 1);
  // Adding enables, unless EV_DISABLE says otherwise.
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_DISABLE), 0);
  CHECK_EQ(kq.Wait(kMsNs), 0);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ENABLE), 0);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_DISABLE), 0);
  CHECK_EQ(kq.Wait(kMsNs), 0);
}

TEST(EV_DELETE_removes_and_what_is_not_there_is_ENOENT) {
  Kq kq;
  const Pair pipe(true);
  pipe.Send("x", 1);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_DELETE), ENOENT);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD), 0);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_WRITE, EV_DELETE), ENOENT);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_DELETE), 0);
  CHECK_EQ(kq.Wait(kMsNs), 0);
}

TEST(a_change_without_flags_touches_what_is_there_and_is_ENOENT_otherwise) {
  Kq kq;
  const Pair pipe(true);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, 0), ENOENT);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_DISABLE), 0);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, 0), 0);
  pipe.Send("x", 1);
  // It did not enable it.
  CHECK_EQ(kq.Wait(kMsNs), 0);
}

TEST(closing_the_last_reference_by_that_number_removes_its_entries) {
  Kq kq;
  Pair gone(true);
  const Pair other(true);
  const int number = gone.fds[0];
  CHECK_EQ(kq.Change(number, EVFILT_READ, EV_ADD), 0);
  gone.CloseEnd(0);
  // A number that is no open fd is EBADF.
  CHECK_EQ(kq.Change(number, EVFILT_READ, EV_ENABLE), EBADF);
  CHECK_EQ(os::Fcntl(other.fds[0], F_DUPFD_CLOEXEC, number), number);
  other.Send("x", 1);
  CHECK_EQ(kq.Change(number, EVFILT_READ, EV_ENABLE), ENOENT);
  CHECK_EQ(kq.Wait(kMsNs), 0);
  CHECK_EQ(os::Close(number), 0);
}

TEST(EV_RECEIPT_answers_each_change_and_takes_no_event_out) {
  Kq kq;
  const Pair pipe(true);
  pipe.Send("x", 1);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0);
  const Event changes[] = {
      tripoll::MakeChange(static_cast<uintptr_t>(pipe.fds[1]), EVFILT_WRITE, EV_ADD | EV_RECEIPT, 0,
                          0),
      tripoll::MakeChange(static_cast<uintptr_t>(pipe.fds[1]), EVFILT_READ, EV_DELETE | EV_RECEIPT,
                          0, 0),
  };
  CHECK_EQ(os::Kevent(kq.fd(), changes, 2, kq.events, 2, -1), 2);
  CHECK_EQ(kq.events[0].data, 0);
  CHECK_EQ(kq.events[1].data, ENOENT);
  CHECK_EQ(kq.Wait(kSecondNs), 2);
}

TEST(a_change_that_fails_is_an_event_where_there_is_room_and_the_call_s_error_otherwise) {
  Kq kq;
  const Pair pipe(true);
  const Event change =
      tripoll::MakeChange(static_cast<uintptr_t>(pipe.fds[0]), EVFILT_READ, EV_DELETE, 0, 0);
  CHECK_EQ(os::Kevent(kq.fd(), &change, 1, kq.events, 1, -1), 1);
  CHECK((Flags(kq.events[0]) & EV_ERROR) != 0);
  CHECK_EQ(kq.events[0].data, ENOENT);
  CHECK_EQ(os::Kevent(kq.fd(), &change, 1, nullptr, 0, 0), -ENOENT);
}

TEST(T25_a_change_that_fails_without_room_for_an_event_ends_the_call_before_the_next) {
  Kq kq;
  const Pair pipe(true);
  const auto ident = static_cast<uintptr_t>(pipe.fds[0]);
  const Event changes[] = {tripoll::MakeChange(ident, EVFILT_READ, 0, 0, 0),
                           tripoll::MakeChange(ident, EVFILT_READ, EV_ADD | EV_ENABLE, 0, 0)};
  CHECK_EQ(os::Kevent(kq.fd(), changes, 2, nullptr, 0, 0), -ENOENT);
  pipe.Send("x", 1);
  CHECK_EQ(kq.Wait(kMsNs), 0);
  CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_DISABLE), 0);
  CHECK_EQ(os::Kevent(kq.fd(), changes, 2, nullptr, 0, 0), 0);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
}

TEST(T25_EV_ADD_with_EV_ENABLE_looks_again_and_keeps_the_mode) {
  for (const uint32_t mode : {uint32_t{EV_CLEAR}, uint32_t{EV_DISPATCH}}) {
    Kq kq;
    const Pair pipe(true);
    CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | mode), 0);
    pipe.Send("x", 1);
    for (int i = 0; i < 2; i++) {
      CHECK_EQ(kq.Wait(kSecondNs), 1);
      CHECK_EQ(kq.Wait(kMsNs), 0);
      CHECK_EQ(kq.Change(pipe.fds[0], EVFILT_READ, EV_ADD | EV_ENABLE | mode), 0);
    }
    CHECK_EQ(kq.Wait(kSecondNs), 1);
  }
}

TEST(a_filter_that_does_not_exist_is_EINVAL_and_a_kqueue_that_does_not_EBADF) {
  Kq kq;
  const Pair pipe(true);
  CHECK_EQ(kq.Change(pipe.fds[0], 99, EV_ADD), EINVAL);
  CHECK_EQ(os::Kevent(pipe.fds[0], nullptr, 0, kq.events, 1, 0), -EBADF);
}

TEST(no_more_events_than_there_is_room_for_and_the_others_later) {
  Kq kq;
  const Pair first(true);
  const Pair second(true);
  for (const Pair* pipe : {&first, &second}) {
    CHECK_EQ(kq.Change(pipe->fds[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0);
    pipe->Send("x", 1);
  }
  CHECK_EQ(kq.Wait(kSecondNs, 1), 1);
  const uintptr_t told = kq.events[0].ident;
  CHECK_EQ(kq.Wait(kSecondNs, 1), 1);
  CHECK(kq.events[0].ident != told);
  CHECK_EQ(kq.Wait(kMsNs, 1), 0);
}

TEST(EVFILT_READ_EV_EOF_when_the_peer_has_ended_and_the_data_is_still_there) {
  for (const bool pipe : {true, false}) {
    Kq kq;
    Pair pair(pipe);
    pair.Send("last", 4);
    pair.CloseEnd(1);
    CHECK_EQ(kq.Change(pair.fds[0], EVFILT_READ, EV_ADD), 0);
    CHECK_EQ(kq.Wait(kSecondNs), 1);
    CHECK((Flags(kq.events[0]) & EV_EOF) != 0);
    // fflags is the socket's error, if it has one.
    CHECK_EQ(kq.events[0].fflags, 0u);
    CHECK_EQ(kq.events[0].data, 4);
  }
}

TEST(EVFILT_WRITE_EV_EOF_when_the_reader_has_gone) {
  Kq kq;
  Pair pipe(true);
  CHECK_EQ(kq.Change(pipe.fds[1], EVFILT_WRITE, EV_ADD), 0);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK_EQ(Flags(kq.events[0]) & EV_EOF, 0u);
  pipe.CloseEnd(0);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK((Flags(kq.events[0]) & EV_EOF) != 0);
}

TEST(EVFILT_WRITE_of_a_refused_connection_has_EV_EOF_and_its_errno_in_fflags) {
  Kq kq;
  const int listener = os::Socket(AF_INET, SOCK_STREAM, 0);
  const int client = os::Socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* name = reinterpret_cast<sockaddr*>(&address);
  CHECK_EQ(os::Bind(listener, name, length), 0);
  CHECK_EQ(os::Getsockname(listener, name, &length), 0);
  // A port that is bound and does not listen need not refuse (T66).
  CHECK_EQ(os::Listen(listener, 1), 0);
  CHECK_EQ(os::Close(listener), 0);
  CHECK(os::Fcntl(client, F_SETFL, O_NONBLOCK) >= 0);
  // A socket that is not connected is not ready to write.
  CHECK_EQ(kq.Change(client, EVFILT_WRITE, EV_ADD), 0);
  CHECK_EQ(kq.Wait(kMsNs), 0);
  const int said = os::Connect(client, name, length);
  CHECK(said == -EINPROGRESS || said == -ECONNREFUSED);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK((Flags(kq.events[0]) & EV_EOF) != 0);
  if (said == -EINPROGRESS) CHECK_EQ(static_cast<int>(kq.events[0].fflags), ECONNREFUSED);
  CHECK_EQ(os::Close(client), 0);
}

#ifdef EVFILT_USER
TEST(EVFILT_USER_is_told_when_NOTE_TRIGGER_has_come) {
  Kq kq;
  CHECK_EQ(kq.Change(7, EVFILT_USER, EV_ADD | EV_CLEAR), 0);
  CHECK_EQ(kq.Wait(kMsNs), 0);
  CHECK_EQ(kq.Change(7, EVFILT_USER, 0, NOTE_TRIGGER), 0);
  CHECK_EQ(kq.Change(7, EVFILT_USER, 0, NOTE_TRIGGER), 0);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK_EQ(kq.events[0].ident, uintptr_t{7});
  CHECK_EQ(kq.Wait(kMsNs), 0);
  // One that is not there cannot be triggered.
  CHECK_EQ(kq.Change(8, EVFILT_USER, 0, NOTE_TRIGGER), ENOENT);
}

TEST(EVFILT_USER_s_fflags_are_changed_by_and_or_and_copy) {
  Kq kq;
  CHECK_EQ(kq.Change(7, EVFILT_USER, EV_ADD | EV_CLEAR), 0);
  CHECK_EQ(kq.Change(7, EVFILT_USER, 0, NOTE_FFCOPY | 0x3c), 0);
  CHECK_EQ(kq.Change(7, EVFILT_USER, 0, NOTE_FFAND | 0x0f), 0);
  CHECK_EQ(kq.Change(7, EVFILT_USER, 0, NOTE_FFOR | 0x41), 0);
  CHECK_EQ(kq.Change(7, EVFILT_USER, 0, NOTE_FFNOP | NOTE_TRIGGER | 0x80), 0);
  CHECK_EQ(kq.Wait(kSecondNs), 1);
  CHECK_EQ(static_cast<uint32_t>(kq.events[0].fflags) & NOTE_FFLAGSMASK, 0x4du);
}

TEST(EVFILT_USER_triggered_by_another_thread_ends_a_wait) {
  Kq kq;
  CHECK_EQ(kq.Change(7, EVFILT_USER, EV_ADD | EV_CLEAR), 0);
  const int fd = kq.fd();
  std::thread other([fd] {
    const Event change = tripoll::MakeChange(7, EVFILT_USER, 0, NOTE_TRIGGER, 0);
    CHECK_EQ(os::Kevent(fd, &change, 1, nullptr, 0, 0), 0);
  });
  CHECK_EQ(kq.Wait(60 * kSecondNs), 1);
  other.join();
}
#endif

TEST(a_change_of_another_thread_reaches_a_wait_that_has_begun) {
  Kq kq;
  const Pair pipe(true);
  pipe.Send("x", 1);
  const int fd = kq.fd();
  std::thread other([fd, &pipe] {
    const Event change =
        tripoll::MakeChange(static_cast<uintptr_t>(pipe.fds[0]), EVFILT_READ, EV_ADD, 0, 0);
    CHECK_EQ(os::Kevent(fd, &change, 1, nullptr, 0, 0), 0);
  });
  CHECK_EQ(kq.Wait(60 * kSecondNs), 1);
  other.join();
}

RUN_TESTS()
