#include "load_probes.h"

#include <sched.h>
#include <time.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "load_options.h"

namespace bench {
namespace {

uint64_t ReadClockNs(clockid_t clock) {
  timespec now{};
  if (clock_gettime(clock, &now) != 0) Fail("clock_gettime: %s", strerror(errno));
  return static_cast<uint64_t>(now.tv_sec) * 1000000000U + static_cast<uint64_t>(now.tv_nsec);
}

bool ParseCoreLine(const char* line, int cpu, CoreTicks* ticks) {
  int number = -1;
  uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
  const int fields = sscanf(line,
                            "cpu%d %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                            " %" SCNu64 " %" SCNu64 " %" SCNu64,
                            &number, &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal);
  if (fields != 9 || number != cpu) return false;
  *ticks = {idle + iowait, steal, user + nice + system + idle + iowait + irq + softirq + steal};
  return true;
}

}  // namespace

uint64_t NowNs() { return ReadClockNs(CLOCK_MONOTONIC); }

uint64_t ProcessCpuNs(int pid) {
  clockid_t clock;
  const int error = clock_getcpuclockid(pid, &clock);
  if (error != 0) Fail("no CPU clock of process %d: %s", pid, strerror(error));
  return ReadClockNs(clock);
}

CoreTicks ReadCoreTicks(int cpu) {
  FILE* file = fopen("/proc/stat", "re");
  if (file == nullptr) Fail("/proc/stat: %s", strerror(errno));
  CoreTicks ticks{};
  bool found = false;
  char line[512];
  while (!found && fgets(line, sizeof line, file) != nullptr)
    found = ParseCoreLine(line, cpu, &ticks);
  fclose(file);
  if (!found) Fail("/proc/stat has no core %d", cpu);
  return ticks;
}

void PinThisThread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    Fail("cannot pin to core %d: %s", cpu, strerror(errno));
}

}  // namespace bench
