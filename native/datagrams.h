// Batches of datagrams: records and payload slots that the caller owns, filled by recvmmsg and sent
// by sendmmsg, or by a loop of the single calls where a system lacks them. Nothing is allocated.
#ifndef TRIPOLL_DATAGRAMS_H_
#define TRIPOLL_DATAGRAMS_H_

#include <cstddef>
#include <cstdint>

#include "datagram_calls.h"

namespace tripoll {

// As JavaScript reads and writes it: words of 32 bits, an address in network order.
struct DatagramEndpoint {
  uint32_t family;  // AF_INET, AF_INET6, or 0 for none
  uint32_t port;
  uint32_t scope_id;  // of a local endpoint: the interface
  uint8_t address[16];
};

// What is known of one datagram. Its owner may write anything into it at any time: nothing here is
// trusted.
struct DatagramRecord {
  uint32_t length;         // bytes in the slot
  uint32_t wire_length;    // bytes it had, more than `length` when it was truncated
  uint32_t flags;          // DatagramFlag
  uint32_t error;          // an errno: why it was not sent, or what the error queue says
  uint32_t segment_bytes;  // the payload is several datagrams of this length; 0: it is one
  uint32_t sent_bytes;     // how far a segmented one came that was sent piece by piece
  uint32_t tos;
  uint32_t ttl;
  DatagramEndpoint peer;   // who sent it, or to whom it goes
  DatagramEndpoint local;  // where it arrived, or from where it goes; of an error: who reported it
  uint32_t time_s;
  uint32_t time_s_high;
  uint32_t time_ns;
  uint32_t error_origin;
  uint32_t error_kind;  // ICMP type << 8 | code
  uint32_t error_info;  // the MTU, with EMSGSIZE
  uint32_t unused[4];
};
static_assert(sizeof(DatagramRecord) == 128, "two cache lines; JavaScript counts on it");

enum DatagramFlag : uint32_t {
  kDatagramTruncated = 1,
  kDatagramControlTruncated = 2,
  kDatagramHasTos = 4,
  kDatagramHasTtl = 8,
  kDatagramHasLocal = 16,
  kDatagramHasTime = 32,
  // For sending: use tos, ttl, local.
  kDatagramSendTos = 256,
  kDatagramSendTtl = 512,
  kDatagramSendLocal = 1024,
};

// Stands before the records.
struct DatagramHeader {
  uint32_t failed;       // sending: how many records have an error
  uint32_t error;        // receiving: what came after the datagrams that are returned
  uint32_t no_segments;  // the system refused to segment, here and hence on
  uint32_t calls;        // how many syscalls it took
  uint32_t unused[4];
};
static_assert(sizeof(DatagramHeader) == 32, "JavaScript counts on it");

struct DatagramSlots {
  DatagramHeader* header;
  DatagramRecord* records;
  uint8_t* payload;
  size_t slot_bytes;
};

enum DatagramOption : uint32_t {
  kDatagramControl = 1,       // ancillary data is wanted
  kDatagramErrorQueue = 2,    // read the error queue
  kDatagramRetryPending = 4,  // a first error is of an earlier datagram to someone else: try again
  kDatagramNoSegments = 8,    // the system cannot segment
  kDatagramCoalesce = 16,     // datagrams in a row to one peer may go as segments of one message
  kDatagramIpv6 = 32,         // the socket's family
};

// Datagrams that one system call takes: what of theirs is on the stack fits 32 KB.
constexpr unsigned kDatagramsPerCall = 64;
// Ancillary data of one datagram: all that can be asked for is 176 bytes on Linux.
constexpr size_t kDatagramControlBytes = 256;

// Fills records [first, first + count). Returns how many, or -errno when there is none.
int ReceiveDatagrams(int fd, const DatagramSlots& slots, unsigned first, unsigned count,
                     uint32_t options);
// Sends records [first, first + count) in order. Returns how many are done, which means sent or
// failed for good, each with its own error (T45); or -errno when there is none.
int SendDatagrams(int fd, const DatagramSlots& slots, unsigned first, unsigned count,
                  uint32_t options);

// Takes the peer of a connected socket away; without one it does nothing.
int DisconnectDatagrams(int fd);

// What one call did: so many messages, and the errno that ended it, as far as it is known; in how
// many system calls.
struct BatchResult {
  unsigned count;
  int error;
  unsigned calls;
};
// The batch calls, and what stands in for them where the system says ENOSYS.
BatchResult ReceiveBatch(int fd, BatchMessage* messages, unsigned count, int flags);
BatchResult SendBatch(int fd, BatchMessage* messages, unsigned count, int flags);
BatchResult ReceiveOneByOne(int fd, BatchMessage* messages, unsigned count, int flags);
BatchResult SendOneByOne(int fd, BatchMessage* messages, unsigned count, int flags);

}  // namespace tripoll

#endif  // TRIPOLL_DATAGRAMS_H_
