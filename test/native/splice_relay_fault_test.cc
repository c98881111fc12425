// The relay between two sockets, under answers that a kernel gives seldom.
#include "linux/splice_relay.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "check.h"
#include "faulty_os_calls.h"

namespace {

struct Rig {
  int source[2];
  int sink[2];
  int pipe[2];

  Rig() {
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, source), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sink), 0);
    CHECK_EQ(pipe2(pipe, O_NONBLOCK), 0);
  }
  ~Rig() {
    for (const int fd : {source[0], source[1], sink[0], sink[1], pipe[0], pipe[1]}) close(fd);
  }

  int Run(tripoll::RelayState* state, size_t most = 1 << 20) const {
    return tripoll::RunRelay({source[1], pipe[1], pipe[0], sink[0], most}, state);
  }
};

}  // namespace

TEST(moves_what_there_is_and_says_that_there_is_no_more) {
  const Rig rig;
  CHECK_EQ(write(rig.source[0], "hello", 5), 5);
  tripoll::RelayState state;
  CHECK_EQ(rig.Run(&state), 5);
  CHECK_EQ(state.left, 0);
  CHECK_EQ(state.drained, 1);
  char text[8];
  CHECK_EQ(read(rig.sink[1], text, sizeof text), 5);
  CHECK_EQ(rig.Run(&state), -EAGAIN);
}

TEST(the_end_of_the_source_is_0) {
  const Rig rig;
  CHECK_EQ(shutdown(rig.source[0], SHUT_WR), 0);
  tripoll::RelayState state;
  CHECK_EQ(rig.Run(&state), 0);
  CHECK_EQ(state.drained, 0);
}

TEST(bounded_by_most_bytes) {
  const Rig rig;
  CHECK_EQ(write(rig.source[0], "hello", 5), 5);
  tripoll::RelayState state;
  CHECK_EQ(rig.Run(&state, 3), 3);
  CHECK_EQ(state.drained, 0);
  CHECK_EQ(rig.Run(&state, 3), 2);
  CHECK_EQ(state.drained, 1);
}

TEST(what_the_sink_does_not_take_is_left_in_the_pipe) {
  const Rig rig;
  CHECK_EQ(write(rig.source[0], "hello", 5), 5);
  CHECK_EQ(shutdown(rig.sink[0], SHUT_WR), 0);
  signal(SIGPIPE, SIG_IGN);  // as the runtime has it
  tripoll::RelayState state;
  CHECK_EQ(rig.Run(&state), 5);
  CHECK_EQ(state.left, 5);
  CHECK_EQ(state.drained, 0);
}

TEST(an_error_of_the_source_is_returned) {
  const Rig rig;
  fault::Inject("Splice", EINTR, 1);
  tripoll::RelayState state;
  CHECK_EQ(rig.Run(&state), -EINTR);
  fault::Inject("Splice", ECONNRESET, 1);
  CHECK_EQ(rig.Run(&state), -ECONNRESET);
  CHECK_EQ(state.drained, 0);
}

RUN_TESTS()
