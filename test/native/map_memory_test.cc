// The real mmap, refused: T07's memory must not be a MAP_FAILED that looks like an address.
#include <cerrno>

#include "check.h"
#include "os_calls.h"

TEST(memory_that_the_system_refuses_is_an_error_and_no_address) {
  void* memory = nullptr;
  CHECK_EQ(tripoll::os::MapMemory(size_t{1} << 62, &memory), -ENOMEM);
  CHECK(memory == nullptr);
  CHECK_EQ(tripoll::os::MapMemory(4096, &memory), 0);
  static_cast<char*>(memory)[4095] = 'x';
  CHECK_EQ(tripoll::os::UnmapMemory(memory, 4096), 0);
}

RUN_TESTS()
