#ifndef TRIPOLL_UNIX_OWNER_TABLE_H_
#define TRIPOLL_UNIX_OWNER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tripoll {

// Which token registered an fd number last. A number that its user closed and the kernel gave out
// again belongs to the newer token, and the older one's delete must not touch it (T02, T05).
class OwnerTable {
 public:
  void Set(int fd, uint32_t slot, uint32_t generation) {
    const auto index = static_cast<size_t>(fd);
    if (index >= owners_.size()) owners_.resize(index + 1 + index / 2);
    owners_[index] = {slot, generation, true};
  }

  bool Owns(int fd, uint32_t slot, uint32_t generation) const {
    if (fd < 0 || static_cast<size_t>(fd) >= owners_.size()) return false;
    const Owner& owner = owners_[static_cast<size_t>(fd)];
    return owner.present && owner.slot == slot && owner.generation == generation;
  }

  void Clear(int fd) { owners_[static_cast<size_t>(fd)].present = false; }

 private:
  struct Owner {
    uint32_t slot = 0;
    uint32_t generation = 0;
    bool present = false;
  };
  std::vector<Owner>
      owners_;  // by fd: the kernel hands out the lowest free number, so it stays dense
};

}  // namespace tripoll

#endif  // TRIPOLL_UNIX_OWNER_TABLE_H_
