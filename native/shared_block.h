#ifndef TRIPOLL_SHARED_BLOCK_H_
#define TRIPOLL_SHARED_BLOCK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace tripoll {

// Memory that native code writes into and JavaScript has a view of. Both sides hold a reference, so
// it outlives whichever lets go first: a view that was collected, transferred or detached under us
// leaves our pointer good (T07).
class SharedBlock {
 public:
  static SharedBlock* Create(size_t bytes) {
    void* memory = std::calloc(1, bytes);
    if (memory == nullptr) return nullptr;
    auto* block = new (std::nothrow) SharedBlock(static_cast<uint8_t*>(memory), bytes);
    if (block == nullptr) std::free(memory);
    return block;
  }

  SharedBlock(const SharedBlock&) = delete;
  SharedBlock& operator=(const SharedBlock&) = delete;

  void Retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  SharedBlock(uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}
  ~SharedBlock() { std::free(data_); }

  uint8_t* const data_;
  const size_t bytes_;
  std::atomic<int> references_{1};
};

}  // namespace tripoll

#endif  // TRIPOLL_SHARED_BLOCK_H_
