#ifndef TRIPOLL_FD_TABLE_H_
#define TRIPOLL_FD_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tripoll {

// Values by fd. The kernel hands out the lowest free number, so the table stays dense, and a
// look-up is an index: neither an accept nor a close allocates, but for the growth by half.
template <typename T>
class FdTable {
 public:
  // A number without a value reads as `empty`.
  explicit FdTable(T empty = T{}) : empty_(empty) {}

  void Set(int fd, const T& value) {
    const auto index = static_cast<size_t>(fd);
    if (index >= values_.size()) values_.resize(index + 1 + index / 2, empty_);
    values_[index] = value;
  }

  // Does nothing for a number that has no value.
  void Clear(int fd) {
    if (Has(fd)) values_[static_cast<size_t>(fd)] = empty_;
  }

  T Get(int fd) const { return Has(fd) ? values_[static_cast<size_t>(fd)] : empty_; }

  // Null of a number beyond all that were set. It is good until the next Set.
  T* Find(int fd) { return Has(fd) ? &values_[static_cast<size_t>(fd)] : nullptr; }

  // All numbers that may have a value are below it.
  int end() const { return static_cast<int>(values_.size()); }

 private:
  bool Has(int fd) const { return fd >= 0 && static_cast<size_t>(fd) < values_.size(); }

  T empty_;
  std::vector<T> values_;
};

// Which token registered an fd last. A number that its user closed and the kernel gave out again
// belongs to the newer token, and what the older one asks for must not touch it (T01, T02, T05).
struct FdOwner {
  uint32_t slot = 0;
  uint32_t generation = 0;
  bool known = false;

  bool Is(uint32_t of_slot, uint32_t of_generation) const {
    return known && slot == of_slot && generation == of_generation;
  }
};

}  // namespace tripoll

#endif  // TRIPOLL_FD_TABLE_H_
