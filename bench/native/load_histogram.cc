#include "load_histogram.h"

#include <algorithm>
#include <numeric>

namespace bench {

void LoadHistogram::Clear() {
  counts_.fill(0);
  max_ = 0;
}

uint64_t LoadHistogram::UpperEdge(size_t index) {
  if (index < 2 * kSteps) return index;
  const size_t shift = (index >> kStepBits) - 1;
  return (((index & (kSteps - 1)) + kSteps + 1) << shift) - 1;
}

uint64_t LoadHistogram::Quantile(double share) const {
  const uint64_t total = std::accumulate(counts_.begin(), counts_.end(), uint64_t{0});
  const auto rank = static_cast<uint64_t>(share * static_cast<double>(total));
  uint64_t seen = 0;
  for (size_t index = 0; index < counts_.size(); index++) {
    seen += counts_[index];
    if (seen > rank) return std::min(UpperEdge(index), max_);
  }
  return max_;
}

}  // namespace bench
