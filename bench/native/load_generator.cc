// Load for the echo servers: connections x message size x depth, one thread, closed loop. It prints
// one line of JSON. It never sleeps while it measures, so no server pays for waking it, and it has
// to be cheaper than a C server for that server's core to be full.
//
// With --idle it opens the connections, lets each echo one message, prints "ready", and holds them
// until its standard input ends.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <vector>

#include "load_connection.h"
#include "load_histogram.h"
#include "load_options.h"
#include "load_probes.h"

namespace bench {
namespace {

constexpr int kEventsPerWait = 1024;
constexpr uint64_t kStallNs = 5000000000;          // no reply for so long: the server hangs
constexpr uint64_t kAcceptNs = 2 * kStallNs;       // slow to accept all is not yet a stall
constexpr uint32_t kConnectBatch = 64;             // far below any backlog
constexpr uint32_t kConnectionsPerSource = 20000;  // below the usual ephemeral range of 28,000

class LoadGenerator {
 public:
  explicit LoadGenerator(const LoadOptions& options);
  ~LoadGenerator();
  LoadGenerator(const LoadGenerator&) = delete;
  LoadGenerator& operator=(const LoadGenerator&) = delete;

  void Measure();
  void HoldIdle();

 private:
  struct Edge {
    uint64_t time_ns;
    uint64_t own_cpu_ns;
    uint64_t server_cpu_ns;
    uint64_t polls;
    uint64_t empty_polls;
    CoreTicks core;
  };

  void Open(uint32_t count);
  sockaddr_in SourceOf(uint32_t number) const;
  uint64_t Poll();
  void RunUntil(uint64_t deadline_ns);
  void Drain();
  bool AllDrained() const;
  bool AllAnswered() const;
  Edge ReadEdge() const;
  void Print(const Edge& from, const Edge& to) const;
  void PrintServer(const Edge& from, const Edge& to) const;

  LoadOptions options_;
  sockaddr_in server_{};
  int epoll_fd_;
  std::vector<LoadConnection> connections_;
  LoadCounters counters_;
  uint64_t polls_ = 0;
  uint64_t empty_polls_ = 0;
  uint64_t last_event_ns_ = NowNs();
};

LoadGenerator::LoadGenerator(const LoadOptions& options)
    : options_(options), epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_fd_ < 0) Fail("epoll_create1: %s", strerror(errno));
  server_.sin_family = AF_INET;
  server_.sin_port = htons(options.port);
  if (inet_pton(AF_INET, options.host.c_str(), &server_.sin_addr) != 1) {
    Fail("--host takes an IPv4 address, not '%s'", options.host.c_str());
  }
  connections_.reserve(options.connections);  // epoll holds pointers into it
}

LoadGenerator::~LoadGenerator() { close(epoll_fd_); }

// On loopback, each 20,000 connections come from an address of their own.
sockaddr_in LoadGenerator::SourceOf(uint32_t number) const {
  sockaddr_in source{};
  const uint32_t block = number / kConnectionsPerSource;
  if (block == 0 || (ntohl(server_.sin_addr.s_addr) >> 24) != IN_LOOPBACKNET) return source;
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + block);
  return source;
}

void LoadGenerator::Open(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    const auto number = static_cast<uint32_t>(connections_.size());
    connections_.emplace_back(number, options_.size_bytes, options_.depth);
    LoadConnection& connection = connections_.back();
    connection.Connect(server_, SourceOf(number));
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &connection;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, connection.fd(), &event) != 0)
      Fail("epoll_ctl: %s", strerror(errno));
  }
}

// Returns the time after the batch.
uint64_t LoadGenerator::Poll() {
  static epoll_event events[kEventsPerWait];
  const int count = epoll_wait(epoll_fd_, events, kEventsPerWait, 0);
  if (count < 0 && errno != EINTR) Fail("epoll_wait: %s", strerror(errno));
  for (int i = 0; i < count; i++)
    static_cast<LoadConnection*>(events[i].data.ptr)->OnReady(&counters_);
  const uint64_t now_ns = NowNs();
  polls_++;
  if (count > 0) {
    last_event_ns_ = now_ns;
  } else {
    empty_polls_++;
    if (now_ns - last_event_ns_ > kStallNs) {
      Fail("no reply for 5 seconds, after %" PRIu64 " messages", counters_.messages);
    }
  }
  return now_ns;
}

void LoadGenerator::RunUntil(uint64_t deadline_ns) {
  while (Poll() < deadline_ns) continue;
}

bool LoadGenerator::AllDrained() const {
  for (const LoadConnection& connection : connections_) {
    if (!connection.Drained()) return false;
  }
  return true;
}

bool LoadGenerator::AllAnswered() const {
  for (const LoadConnection& connection : connections_) {
    if (!connection.Answered()) return false;
  }
  return true;
}

// Every message that was sent has to come back; then closing is orderly on both sides.
void LoadGenerator::Drain() {
  for (LoadConnection& connection : connections_) connection.StopSending();
  while (!AllDrained()) RunUntil(NowNs() + 100000);
}

LoadGenerator::Edge LoadGenerator::ReadEdge() const {
  Edge edge{};
  edge.time_ns = NowNs();
  edge.own_cpu_ns = ProcessCpuNs(0);
  for (const int pid : options_.server_pids) edge.server_cpu_ns += ProcessCpuNs(pid);
  if (options_.server_cpu >= 0) edge.core = ReadCoreTicks(options_.server_cpu);
  edge.polls = polls_;
  edge.empty_polls = empty_polls_;
  return edge;
}

void LoadGenerator::PrintServer(const Edge& from, const Edge& to) const {
  if (!options_.server_pids.empty()) {
    printf(",\"serverCpuUsec\":%.3f",
           static_cast<double>(to.server_cpu_ns - from.server_cpu_ns) / 1e3);
  }
  const auto ticks = static_cast<double>(to.core.total - from.core.total);
  if (options_.server_cpu >= 0 && ticks > 0) {
    printf(",\"serverCoreBusy\":%.4f,\"serverCoreStolen\":%.4f",
           1 - static_cast<double>(to.core.idle - from.core.idle) / ticks,
           static_cast<double>(to.core.stolen - from.core.stolen) / ticks);
  }
}

void LoadGenerator::Print(const Edge& from, const Edge& to) const {
  const double seconds = static_cast<double>(to.time_ns - from.time_ns) / 1e9;
  const auto messages = static_cast<double>(counters_.messages);
  const LoadHistogram& latency = counters_.latency;
  const auto usec = [](uint64_t ns) { return static_cast<double>(ns) / 1e3; };
  printf("{\"messages\":%" PRIu64 ",\"seconds\":%.6f,\"messagesPerSecond\":%.1f",
         counters_.messages, seconds, messages / seconds);
  printf(",\"p50Usec\":%.2f,\"p99Usec\":%.2f,\"p999Usec\":%.2f,\"maxUsec\":%.2f",
         usec(latency.Quantile(0.5)), usec(latency.Quantile(0.99)), usec(latency.Quantile(0.999)),
         usec(latency.Max()));
  printf(",\"messagesPerRead\":%.3f,\"emptyPollShare\":%.4f,\"loadCpuShare\":%.4f",
         messages / static_cast<double>(counters_.reads),
         static_cast<double>(to.empty_polls - from.empty_polls) /
             static_cast<double>(to.polls - from.polls),
         static_cast<double>(to.own_cpu_ns - from.own_cpu_ns) / 1e9 / seconds);
  PrintServer(from, to);
  printf("}\n");
}

void LoadGenerator::Measure() {
  Open(options_.connections);
  for (LoadConnection& connection : connections_) connection.SendFirst();
  // A server that accepts one connection in each turn of its loop is slow to have all of them, and
  // is not to be measured with fewer.
  const uint64_t all_by_ns = NowNs() + kAcceptNs;
  while (!AllAnswered()) {
    if (Poll() > all_by_ns) Fail("connections without a reply for %g seconds", kAcceptNs / 1e9);
  }
  RunUntil(NowNs() + static_cast<uint64_t>(options_.warmup_seconds * 1e9));
  counters_.messages = 0;
  counters_.reads = 0;
  counters_.latency.Clear();
  const Edge from = ReadEdge();
  RunUntil(from.time_ns + static_cast<uint64_t>(options_.seconds * 1e9));
  const Edge to = ReadEdge();
  if (counters_.messages == 0) Fail("no message came back in %g seconds", options_.seconds);
  Print(from, to);
  Drain();
}

void LoadGenerator::HoldIdle() {
  while (connections_.size() < options_.connections) {
    const auto opened = static_cast<uint32_t>(connections_.size());
    const uint32_t missing = options_.connections - opened;
    Open(missing < kConnectBatch ? missing : kConnectBatch);
    for (uint32_t i = opened; i < connections_.size(); i++) connections_[i].SendFirst();
    last_event_ns_ = NowNs();
    Drain();
  }
  printf("ready\n");
  fflush(stdout);
  char byte;
  for (;;) {
    const ssize_t count = read(STDIN_FILENO, &byte, 1);
    if (count == 0 || (count < 0 && errno != EINTR)) return;
  }
}

void RaiseFileLimit(uint32_t connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) Fail("getrlimit: %s", strerror(errno));
  const rlim_t wanted = connections + 64;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (limit.rlim_max < wanted)
    limit.rlim_max = wanted;  // only root may; the error says what is missing
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    Fail("%u connections need %u open files, which the limit does not allow: %s", connections,
         static_cast<unsigned>(wanted), strerror(errno));
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  const bench::LoadOptions options = bench::ParseLoadOptions(argc, argv);
  bench::RaiseFileLimit(options.connections);
  if (options.cpu >= 0) bench::PinThisThread(options.cpu);
  bench::LoadGenerator generator(options);
  if (options.idle) {
    generator.HoldIdle();
  } else {
    generator.Measure();
  }
  return 0;
}
