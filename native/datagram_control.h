// Ancillary data of datagrams: each system's folder has its own datagram_control.cc.
#ifndef TRIPOLL_DATAGRAM_CONTROL_H_
#define TRIPOLL_DATAGRAM_CONTROL_H_

#include <cstddef>

#include "constants.h"
#include "datagrams.h"

namespace tripoll {

// What a receive is asked for besides: MSG_TRUNC, where that tells a datagram's true length.
extern const int kReceiveFlags;
// MSG_ERRQUEUE, or 0 where there is no error queue.
extern const int kErrorQueueFlag;

// Reads what the system told into the record. The message must have been filled by the system.
void ReadDatagramControl(const msghdr& message, DatagramRecord* record);
// Writes what the record asks for into message.msg_control, which has kDatagramControlBytes, and
// sets its length; none is a null pointer and 0. `segment` as of UDP_SEGMENT, 0 for none; `is_ipv6`
// is the socket's family.
void WriteDatagramControl(const DatagramRecord& record, uint32_t segment, bool is_ipv6,
                          msghdr* message);

// Joins, leaves, blocks: `option` is one of the MCAST_* below. Without a source a null pointer.
int ChangeMembership(int fd, int option, uint32_t index, const sockaddr_storage& group,
                     const sockaddr_storage* source);

// The options and their values as JavaScript sets them.
extern const Constant kDatagramConstants[];
extern const size_t kDatagramConstantCount;

}  // namespace tripoll

#endif  // TRIPOLL_DATAGRAM_CONTROL_H_
