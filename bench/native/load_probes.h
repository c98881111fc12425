// What the load generator reads at the two edges of its window, so that messages, time and CPU are
// all of the same interval.
#ifndef TRIPOLL_BENCH_LOAD_PROBES_H_
#define TRIPOLL_BENCH_LOAD_PROBES_H_

#include <cstdint>

namespace bench {

uint64_t NowNs();

// All threads, those that ended too, running ones to the nanosecond: unlike /proc/PID/stat and
// schedstat.
uint64_t ProcessCpuNs(int pid);  // 0: this process

struct CoreTicks {
  uint64_t idle;    // idle and iowait
  uint64_t stolen;  // by the hypervisor
  uint64_t total;
};

CoreTicks ReadCoreTicks(int cpu);

void PinThisThread(int cpu);

}  // namespace bench

#endif  // TRIPOLL_BENCH_LOAD_PROBES_H_
