#ifndef TRIPOLL_UNIX_TIMESPEC_H_
#define TRIPOLL_UNIX_TIMESPEC_H_

#include <cstdint>
#include <ctime>

namespace tripoll {

inline timespec ToTimespec(int64_t ns) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  timespec time{};
  time.tv_sec = static_cast<time_t>(ns / kNsPerSecond);
  time.tv_nsec = static_cast<long>(ns % kNsPerSecond);
  return time;
}

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_TIMESPEC_H_
