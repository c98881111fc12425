// What a *_fault_test.cc links instead of native/<os>/os_calls.cc: the same calls, which fail on
// demand. Of kevent also what it says of a change: "Receipt" and "Receipt of EVFILT_WRITE" name the
// receipts of the next changes, "Kevent after" fails a call that was carried out.
#ifndef TRIPOLL_TEST_NATIVE_FAULTY_OS_CALLS_H_
#define TRIPOLL_TEST_NATIVE_FAULTY_OS_CALLS_H_

#include <functional>
#include <string>

namespace fault {

constexpr int kForEver = -1;

// The next `times` calls of this name return -error, without reaching the system.
void Inject(const std::string& call, int error, int times = 1);
// Runs `then` once, when the next call of this name has returned and before its caller goes on:
// what another thread would do just then.
void After(const std::string& call, std::function<void()> then);
// The same before the next call of this name reaches the system.
void Before(const std::string& call, std::function<void()> first);
// How often a call was made, injected failures included.
int Calls(const std::string& call);
// From now on poll(2) speaks as XNU's: no POLLERR, and POLLHUP for the end of either direction.
void PollAsXnu();
void Reset();

}  // namespace fault

#endif  // TRIPOLL_TEST_NATIVE_FAULTY_OS_CALLS_H_
