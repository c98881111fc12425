// The three C++ peers. Each is one echo server per process: Listen gives the port, Run serves on
// the calling thread and returns only when its loop fails. Both return n >= 0 or a negative errno.
//
// Equal on every side: 127.0.0.1, SO_REUSEADDR, backlog 4096, sockets non-blocking and
// close-on-exec, TCP_NODELAY on what is accepted, reads of at most 64 KB, up to 1024 events per
// wait, and one read per event as long as it does not fill the buffer.
#ifndef TRIPOLL_BENCH_ECHO_PEER_H_
#define TRIPOLL_BENCH_ECHO_PEER_H_

#include <cstddef>

namespace bench {

constexpr int kBacklog = 4096;
constexpr size_t kReadBufferBytes = size_t{64} * 1024;

int RawEpollListen();
int RawEpollRun();
// Instead of RawEpollRun: looks for a while before each sleep.
int RawEpollSpin();

int LibuvTunedListen();
int LibuvTunedRun();

int LibuvNaiveListen();
int LibuvNaiveRun();

}  // namespace bench

#endif  // TRIPOLL_BENCH_ECHO_PEER_H_
