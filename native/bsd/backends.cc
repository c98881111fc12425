#include <cerrno>

#include "bsd/kqueue_poller.h"
#include "poller.h"
#include "unix/poll_poller.h"

namespace tripoll {

const char* const kBackends[] = {"kqueue", "poll"};
const int kBackendCount = 2;

std::unique_ptr<Poller> OpenPoller(const std::string& backend, int* error) {
  if (backend == "kqueue") return KqueuePoller::Open(error);
  if (backend == "poll") return PollPoller::Open(error);
  *error = -ENOTSUP;
  return nullptr;
}

}  // namespace tripoll
