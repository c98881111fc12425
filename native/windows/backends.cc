#include "poller.h"
#include "windows/iocp_poller.h"

#include "os_errno.h"

namespace tripoll {

const char* const kBackends[] = {"iocp"};
const int kBackendCount = 1;

std::unique_ptr<Poller> OpenPoller(const std::string& backend, int* error) {
  if (backend == "iocp") return IocpPoller::Open(error);
  *error = -ENOTSUP;
  return nullptr;
}

}  // namespace tripoll
