// What a benchmark process does to itself. All return n >= 0 or a negative errno.
#ifndef TRIPOLL_BENCH_PROCESS_CONTROL_H_
#define TRIPOLL_BENCH_PROCESS_CONTROL_H_

#include <cstdint>
#include <vector>

namespace bench {

// Pins every thread that exists; those started later inherit it.
int PinAllThreads(int cpu);

// The kernel kills this process when its parent ends: a peer that serves in C hears nothing else.
int DieWithParent();

int AllowedCpus(std::vector<uint32_t>* cpus);

}  // namespace bench

#endif  // TRIPOLL_BENCH_PROCESS_CONTROL_H_
