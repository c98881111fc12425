// UDP as an expert writes it in C, and what the other sides are measured with.
//   udp_peer receive  CPU WARMUP_S SECONDS          prints "port N", then its result
//   udp_peer send     CPU WARMUP_S SECONDS PORT BYTES SEGMENTS   SEGMENTS > 1: UDP_SEGMENT
//   udp_peer flood    CPU PORT BYTES                sends until it is killed, as fast as it can
//   udp_peer sink     CPU GRO                       prints "port N", and reads nothing
// A result is one line of JSON: packets, seconds, cpuUsec (of the whole process).
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "process_control.h"

namespace {

constexpr unsigned kBatch = 64;  // as tripoll's default
constexpr size_t kSlotBytes = 2048;
constexpr size_t kFloodBytes = 65000;

[[noreturn]] void Fail(const char* what) {
  perror(what);
  exit(1);
}

double NowS() {
  timespec time{};
  if (clock_gettime(CLOCK_MONOTONIC, &time) != 0) Fail("clock_gettime");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double CpuUsec() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) Fail("getrusage");
  const auto usec = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return usec(usage.ru_utime) + usec(usage.ru_stime);
}

// Counts from the end of the warm-up to the end of the measurement.
class Meter {
 public:
  Meter(double warmup_s, double seconds) : warmup_s_(warmup_s), seconds_(seconds) {}

  // The time is asked for once a batch; that is a hundredth of what a batch costs.
  bool Count(unsigned packets) {
    const double now = NowS();
    if (begin_ == 0) begin_ = now;
    if (start_ == 0 && now >= begin_ + warmup_s_) {
      start_ = now;
      cpu_ = CpuUsec();
      packets_ = 0;
    }
    packets_ += packets;
    if (start_ == 0 || now < start_ + seconds_) return true;
    printf("{\"packets\":%llu,\"seconds\":%.6f,\"cpuUsec\":%.0f}\n", packets_, now - start_,
           CpuUsec() - cpu_);
    fflush(stdout);
    return false;
  }

 private:
  double warmup_s_;
  double seconds_;
  double begin_ = 0;
  double start_ = 0;
  double cpu_ = 0;
  unsigned long long packets_ = 0;
};

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

int OpenBound() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || bind(fd, any, length) != 0 || getsockname(fd, any, &length) != 0) Fail("bind");
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int OpenConnected(int port, bool blocking) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
  const sockaddr_in address = Loopback(port);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    Fail("connect");
  return fd;
}

// Messages over one buffer each, all of the same length.
struct Batch {
  explicit Batch(size_t bytes) : payload(kBatch * bytes, 'x') {
    for (unsigned i = 0; i < kBatch; i++) {
      vectors[i] = {payload.data() + i * bytes, bytes};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  std::vector<char> payload;
  iovec vectors[kBatch];
  mmsghdr messages[kBatch];
};

void Receive(Meter meter) {
  const int fd = OpenBound();
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) Fail("epoll");
  static Batch batch(kSlotBytes);
  static sockaddr_in names[kBatch];
  for (;;) {
    if (epoll_wait(epoll_fd, &event, 1, -1) < 0 && errno != EINTR) Fail("epoll_wait");
    int received = 0;
    do {
      for (unsigned i = 0; i < kBatch; i++) {
        batch.messages[i].msg_hdr.msg_name = &names[i];
        batch.messages[i].msg_hdr.msg_namelen = sizeof names[i];
      }
      received = recvmmsg(fd, batch.messages, kBatch, MSG_DONTWAIT, nullptr);
      if (received < 0 && errno != EAGAIN) Fail("recvmmsg");
      if (received > 0 && !meter.Count(static_cast<unsigned>(received))) return;
    } while (received == static_cast<int>(kBatch));
  }
}

void Segment(int fd, size_t bytes) {
  const int segment = static_cast<int>(bytes);
  if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0) Fail("UDP_SEGMENT");
}

void Send(Meter meter, int port, size_t bytes, unsigned segments) {
  const int fd = OpenConnected(port, true);
  if (segments > 1) Segment(fd, bytes);
  Batch batch(bytes * segments);
  for (;;) {
    const int sent = sendmmsg(fd, batch.messages, kBatch, 0);
    if (sent < 0) Fail("sendmmsg");
    if (!meter.Count(static_cast<unsigned>(sent) * segments)) return;
  }
}

// By UDP_SEGMENT: with plain datagrams one core does not fill another.
void Flood(int port, size_t bytes) {
  const int fd = OpenConnected(port, true);
  Segment(fd, bytes);
  const size_t most = bytes * kBatch < kFloodBytes ? bytes * kBatch : bytes;
  const std::vector<char> payload(most, 'x');
  // ECONNREFUSED: the receiver has ended, and we are about to be killed.
  for (;;) {
    if (send(fd, payload.data(), payload.size(), 0) < 0 && errno != ECONNREFUSED) Fail("send");
  }
}

// With GRO a message's segments are not taken apart before they are dropped, which on loopback
// would be the sender's work, as it is no sender's over a network.
void Sink(int takes_segments) {
  const int fd = OpenBound();
  if (setsockopt(fd, SOL_UDP, UDP_GRO, &takes_segments, sizeof takes_segments) != 0)
    Fail("UDP_GRO");
  for (;;) pause();
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> args(words + 1, words + count);
  const auto number = [&](size_t index) {
    return index < args.size() ? atof(args[index].c_str()) : 0.0;
  };
  if (args.size() < 2 || bench::DieWithParent() != 0) Fail("usage: udp_peer MODE CPU ...");
  if (bench::PinAllThreads(static_cast<int>(number(1))) != 0) Fail("sched_setaffinity");
  const Meter meter(number(2), number(3));
  if (args[0] == "receive") {
    Receive(meter);
  } else if (args[0] == "send") {
    Send(meter, static_cast<int>(number(4)), static_cast<size_t>(number(5)),
         static_cast<unsigned>(number(6)));
  } else if (args[0] == "flood") {
    Flood(static_cast<int>(number(2)), static_cast<size_t>(number(3)));
  } else if (args[0] == "sink") {
    Sink(static_cast<int>(number(2)));
  } else {
    Fail("no such mode");
  }
  return 0;
}
