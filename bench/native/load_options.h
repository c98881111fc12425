#ifndef TRIPOLL_BENCH_LOAD_OPTIONS_H_
#define TRIPOLL_BENCH_LOAD_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

struct LoadOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  uint32_t connections = 50;
  uint32_t size_bytes = 64;
  uint32_t depth = 1;
  double seconds = 1;
  double warmup_seconds = 0.3;
  int cpu = -1;                  // this process; -1: not pinned
  std::vector<int> server_pids;  // all of its processes; none: no figures of the server
  int server_cpu = -1;           // the core whose busy share is asked for
  bool idle = false;
};

// Exits with 2 and a message on stderr when an option is wrong.
LoadOptions ParseLoadOptions(int argc, char** argv);

// Prints to stderr and exits with 1.
[[noreturn]] void Fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace bench

#endif  // TRIPOLL_BENCH_LOAD_OPTIONS_H_
