// Reads and writes the ancillary data of datagrams: each system's folder has its own
// datagram_control.cc.
#ifndef TRIPOLL_DATAGRAM_CONTROL_H_
#define TRIPOLL_DATAGRAM_CONTROL_H_

#include <cstddef>

#include "constants.h"
#include "datagrams.h"

namespace tripoll {

// The flags that every receive has: MSG_TRUNC, where that tells a datagram's true length.
extern const int kReceiveFlags;
// MSG_ERRQUEUE, or 0 where there is no error queue.
extern const int kErrorQueueFlag;

// Reads what the system told into the record. The message must have been filled by the system.
void ReadDatagramControl(const msghdr& message, DatagramRecord* record);
// Writes what the record asks for into message.msg_control, which has kDatagramControlBytes, and
// sets its length; where it asks for nothing these are null and 0. `segment` is UDP_SEGMENT's
// value, 0 for none; `is_ipv6` is the socket's family.
void WriteDatagramControl(const DatagramRecord& record, uint32_t segment, bool is_ipv6,
                          msghdr* message);

// Joins or leaves a group, or blocks a source of it: `option` is one of the MCAST_* below, and
// `source` is null where the option has none.
int ChangeMembership(int fd, int option, uint32_t index, const sockaddr_storage& group,
                     const sockaddr_storage* source);

// The options and their values as JavaScript sets them.
extern const Constant kDatagramConstants[];
extern const size_t kDatagramConstantCount;

}  // namespace tripoll

#endif  // TRIPOLL_DATAGRAM_CONTROL_H_
