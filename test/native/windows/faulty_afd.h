// A stand-in for native/windows/afd.cc and port_calls.cc: a driver whose polls end when the test
// says, and which looks at how it is used.
#ifndef TRIPOLL_TEST_NATIVE_WINDOWS_FAULTY_AFD_H_
#define TRIPOLL_TEST_NATIVE_WINDOWS_FAULTY_AFD_H_

#include <cstdint>
#include <vector>

#include "windows/afd.h"

namespace fault {

struct Poll {
  HANDLE afd;
  SOCKET base;
  uint32_t events;
  uintptr_t context;
  tripoll::AfdPoll* memory;
  bool cancelled;
};

// Polls that the kernel has, and how many of one socket it ever had at a time, cancelled ones left
// out.
std::vector<Poll>& Polls();
int& MostOfOneSocket();
int& OpenAfds();
// The polls of one handle, at most.
int& MostOfOneAfd();
// The next start of a poll fails with -error.
void FailStart(int error);
// The next waits fail with this code, and leave a count of 1.
void FailWait(DWORD code, int times);

// Ends a poll: writes into its memory as the kernel does, and sends its packet. events 0:
// cancelled.
void Complete(size_t index, uint32_t events);
// From now on a cancel ends its poll at once. Packets that nobody has taken yet: Packets().
void CompleteOnCancel();
size_t Packets();
// Ends those that were cancelled.
int CompleteCancelled();
void Reset();

}  // namespace fault

#endif  // TRIPOLL_TEST_NATIVE_WINDOWS_FAULTY_AFD_H_
