#include "process_control.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstdlib>

namespace bench {

int PinAllThreads(int cpu) {
  if (cpu < 0 || cpu >= CPU_SETSIZE) return -EINVAL;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return -errno;
  int error = 0;
  for (const dirent* entry = readdir(tasks); entry != nullptr; entry = readdir(tasks)) {
    const int thread_id = atoi(entry->d_name);
    if (thread_id <= 0) continue;  // "." and ".."
    // ESRCH: the thread ended since it was listed.
    if (sched_setaffinity(thread_id, sizeof set, &set) != 0 && errno != ESRCH) error = -errno;
  }
  closedir(tasks);
  return error;
}

int DieWithParent() { return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? 0 : -errno; }

int AllowedCpus(std::vector<uint32_t>* cpus) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -errno;
  for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &set)) cpus->push_back(cpu);
  }
  return 0;
}

}  // namespace bench
