// Log-linear latency histogram: 128 linear steps in each power of two, so no value is off by more
// than 0.8 percent, from 1 ns to minutes, in one small array that is only ever incremented.
#ifndef TRIPOLL_BENCH_LOAD_HISTOGRAM_H_
#define TRIPOLL_BENCH_LOAD_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

class LoadHistogram {
 public:
  void Add(uint64_t value) {
    counts_[IndexOf(value)]++;
    if (value > max_) max_ = value;
  }
  void Clear();
  uint64_t Quantile(double share) const;  // upper edge of the step that holds it; 0 when empty
  uint64_t Max() const { return max_; }

 private:
  static constexpr unsigned kStepBits = 7;
  static constexpr uint64_t kSteps = 1ULL << kStepBits;
  static constexpr unsigned kMaxBits = 40;  // 18 minutes in ns; what is longer counts as that
  static constexpr uint64_t kLimit = (1ULL << kMaxBits) - 1;

  static size_t IndexOf(uint64_t value) {
    if (value < kSteps) return value;
    if (value > kLimit) value = kLimit;
    const unsigned shift = 63U - kStepBits - static_cast<unsigned>(__builtin_clzll(value));
    return (static_cast<size_t>(shift) << kStepBits) + (value >> shift);
  }
  static uint64_t UpperEdge(size_t index);

  std::array<uint64_t, (kMaxBits - kStepBits + 1) * kSteps> counts_{};
  uint64_t max_ = 0;
};

}  // namespace bench

#endif  // TRIPOLL_BENCH_LOAD_HISTOGRAM_H_
