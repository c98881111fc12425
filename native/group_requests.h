// RFC 3678's requests, the same for both families, where a system has them.
#ifndef TRIPOLL_GROUP_REQUESTS_H_
#define TRIPOLL_GROUP_REQUESTS_H_

#include "socket_calls.h"

namespace tripoll {

// Does by these requests what ChangeMembership (datagram_control.h) promises.
inline int RequestMembership(int fd, int option, uint32_t index, const sockaddr_storage& group,
                             const sockaddr_storage* source) {
  const int level = group.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (source == nullptr) {
    group_req request{};
    request.gr_interface = index;
    request.gr_group = group;
    return os::Setsockopt(fd, level, option, &request, sizeof request);
  }
  group_source_req request{};
  request.gsr_interface = index;
  request.gsr_group = group;
  request.gsr_source = *source;
  return os::Setsockopt(fd, level, option, &request, sizeof request);
}

}  // namespace tripoll

#endif  // TRIPOLL_GROUP_REQUESTS_H_
