#include "datagrams.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "datagram_control.h"
#include "syscall_counts.h"

#include "os_errno.h"

namespace tripoll {

namespace {

// An address of either family, without the 128 bytes of a sockaddr_storage.
union Name {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// What one system call points at. Not cleared: each message sets up its own part.
struct Chunk {
  BatchMessage messages[kDatagramsPerCall];
  iovec vectors[kDatagramsPerCall];
  Name names[kDatagramsPerCall];
  alignas(cmsghdr) uint8_t control[kDatagramsPerCall][kDatagramControlBytes];
};

void ReadName(const Name& name, size_t length, DatagramEndpoint* to) {
  if (length >= sizeof(sockaddr_in) && name.any.sa_family == AF_INET) {
    to->family = AF_INET;
    to->port = ntohs(name.v4.sin_port);
    to->scope_id = 0;
    std::memcpy(to->address, &name.v4.sin_addr, sizeof name.v4.sin_addr);
  } else if (length >= sizeof(sockaddr_in6) && name.any.sa_family == AF_INET6) {
    to->family = AF_INET6;
    to->port = ntohs(name.v6.sin6_port);
    to->scope_id = name.v6.sin6_scope_id;
    std::memcpy(to->address, &name.v6.sin6_addr, sizeof name.v6.sin6_addr);
  } else {
    to->family = 0;
  }
}

// The length of the name; 0 for none, as on a connected socket. -1 for what is no address.
int WriteName(const DatagramEndpoint& from, Name* name) {
  if (from.family == 0) return 0;
  if (from.port > UINT16_MAX) return -1;
  if (from.family == AF_INET) {
    name->v4 = {};
    name->v4.sin_family = AF_INET;
    name->v4.sin_port = htons(static_cast<uint16_t>(from.port));
    std::memcpy(&name->v4.sin_addr, from.address, sizeof name->v4.sin_addr);
    return sizeof name->v4;
  }
  if (from.family != AF_INET6) return -1;
  name->v6 = {};
  name->v6.sin6_family = AF_INET6;
  name->v6.sin6_port = htons(static_cast<uint16_t>(from.port));
  name->v6.sin6_scope_id = from.scope_id;
  std::memcpy(&name->v6.sin6_addr, from.address, sizeof name->v6.sin6_addr);
  return sizeof name->v6;
}

void PrepareReceive(Chunk* chunk, const DatagramSlots& slots, unsigned first, unsigned count,
                    bool wants_control) {
  for (unsigned i = 0; i < count; i++) {
    chunk->vectors[i] = {slots.payload + (first + i) * slots.slot_bytes, slots.slot_bytes};
    msghdr& header = chunk->messages[i].header;
    header = {};
    header.msg_name = &chunk->names[i];
    header.msg_namelen = sizeof(Name);
    header.msg_iov = &chunk->vectors[i];
    header.msg_iovlen = 1;
    if (!wants_control) continue;
    header.msg_control = chunk->control[i];
    header.msg_controllen = kDatagramControlBytes;
  }
}

// Returns how many bytes of payload there are.
size_t Unpack(const Chunk& chunk, const DatagramSlots& slots, unsigned first, unsigned count) {
  size_t bytes = 0;
  for (unsigned i = 0; i < count; i++) {
    const BatchMessage& message = chunk.messages[i];
    DatagramRecord& record = slots.records[first + i];
    const size_t length = std::min(size_t{message.length}, slots.slot_bytes);
    record.length = static_cast<uint32_t>(length);
    bytes += length;
    record.wire_length = message.length;
    record.flags = (message.header.msg_flags & MSG_TRUNC) != 0 ? uint32_t{kDatagramTruncated} : 0;
    record.error = 0;
    record.segment_bytes = 0;
    record.sent_bytes = 0;
    ReadName(chunk.names[i], static_cast<size_t>(message.header.msg_namelen), &record.peer);
    if (message.header.msg_control == nullptr) continue;
    if ((message.header.msg_flags & MSG_CTRUNC) != 0) record.flags |= kDatagramControlTruncated;
    ReadDatagramControl(message.header, &record);
  }
  return bytes;
}

bool IsFull(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// ENOBUFS: the queue of the interface is full, which is the only way that a BSD has to say so
// (send(2) of FreeBSD); the datagram is not sent, and may be later (T62).
bool CannotGoYet(int error) { return IsFull(error) || error == ENOBUFS; }

// What one segmented message may have: a datagram's most, less the headers of either family.
constexpr size_t kMostJoinedBytes = 65000;

bool IsSegmented(const DatagramRecord& record) {
  // What is above 16 bits cannot be asked for, and nor can a datagram be that long.
  return record.segment_bytes != 0 && record.segment_bytes < record.length &&
         record.segment_bytes <= UINT16_MAX;
}

// How one run of SendDatagrams goes on.
struct Sender {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): PrepareOne sets what is used of `chunk`
  Sender(int fd, const DatagramSlots& slots, uint32_t options)
      : fd(fd), slots(slots), options(options) {}

  int fd;
  const DatagramSlots& slots;
  uint32_t options;
  // Records before this one are neither segmented nor joined by the system: it has refused to.
  unsigned plain_until = 0;
  // How many records each message of the chunk has; of the first, 0 when none was prepared.
  unsigned runs[kDatagramsPerCall];
  Chunk chunk;

  const DatagramRecord& At(unsigned index) const { return slots.records[index]; }
  uint8_t* PayloadOf(unsigned index) const { return slots.payload + index * slots.slot_bytes; }
  bool IsIpv6() const { return (options & kDatagramIpv6) != 0; }
  // Also one of which some datagrams have gone already: the rest follows in the same way.
  bool CutsByHand(unsigned index) const {
    return IsSegmented(At(index)) && ((options & kDatagramNoSegments) != 0 ||
                                      At(index).sent_bytes > 0 || index < plain_until);
  }

  bool Joins(unsigned head, unsigned index, size_t bytes) const;
  bool PrepareOne(unsigned place, unsigned vector, unsigned index, size_t offset, size_t length);
  unsigned Prepare(unsigned first, unsigned count);
  int SendByHand(unsigned index);
  BatchResult SendSome(unsigned first, unsigned count);
  void Fail(unsigned index, int error) const;
  int SettleFirst(unsigned index, int error);
};

constexpr uint32_t kAskedFlags = kDatagramSendTos | kDatagramSendTtl | kDatagramSendLocal;

bool IsAlike(const DatagramRecord& a, const DatagramRecord& b) {
  const uint32_t asked = a.flags & kAskedFlags;
  if (asked != (b.flags & kAskedFlags) || a.segment_bytes != 0 || b.segment_bytes != 0 ||
      std::memcmp(&a.peer, &b.peer, sizeof a.peer) != 0) {
    return false;
  }
  return asked == 0 ||
         (a.tos == b.tos && a.ttl == b.ttl && std::memcmp(&a.local, &b.local, sizeof a.local) == 0);
}

// Whether the record can be one more segment of the message that begins with `head` and has so many
// bytes: all but the last segment have one length.
bool Sender::Joins(unsigned head, unsigned index, size_t bytes) const {
  const uint32_t segment = At(head).length;
  const uint32_t length = At(index).length;
  return (options & kDatagramCoalesce) != 0 && (options & kDatagramNoSegments) == 0 &&
         index >= plain_until && length > 0 && length <= segment &&
         At(index - 1).length == segment && bytes + length <= kMostJoinedBytes &&
         IsAlike(At(head), At(index));
}

// False for a record that no system call should see.
bool Sender::PrepareOne(unsigned place, unsigned vector, unsigned index, size_t offset,
                        size_t length) {
  const DatagramRecord& record = At(index);
  if (offset > slots.slot_bytes || length > slots.slot_bytes - offset) return false;
  const int name_length = WriteName(record.peer, &chunk.names[place]);
  if (name_length < 0) return false;
  chunk.vectors[vector] = {PayloadOf(index) + offset, length};
  msghdr& header = chunk.messages[place].header;
  header = {};
  header.msg_name = name_length == 0 ? nullptr : &chunk.names[place];
  header.msg_namelen = static_cast<socklen_t>(name_length);
  header.msg_iov = &chunk.vectors[vector];
  header.msg_iovlen = 1;
  return true;
}

// One call's messages, from `first` on: up to a record that cannot be sent, or needs cutting.
// Returns how many messages.
unsigned Sender::Prepare(unsigned first, unsigned count) {
  unsigned messages = 0;
  size_t bytes = 0;
  runs[0] = 0;
  for (unsigned i = 0; i < std::min(count, kDatagramsPerCall); i++) {
    const unsigned index = first + i;
    if (messages > 0 && Joins(index - runs[messages - 1], index, bytes)) {
      chunk.vectors[i] = {PayloadOf(index), At(index).length};
      runs[messages - 1]++;
      bytes += At(index).length;
      continue;
    }
    if (CutsByHand(index) || !PrepareOne(messages, i, index, 0, At(index).length)) break;
    bytes = At(index).length;
    runs[messages++] = 1;
  }
  unsigned head = first;
  for (unsigned k = 0; k < messages; head += runs[k++]) {
    const DatagramRecord& record = At(head);
    uint32_t segment = runs[k] > 1 ? record.length : 0;
    if (IsSegmented(record)) segment = record.segment_bytes;
    msghdr& header = chunk.messages[k].header;
    header.msg_iovlen = static_cast<decltype(header.msg_iovlen)>(runs[k]);
    if (segment == 0 && (record.flags & kAskedFlags) == 0) continue;
    header.msg_control = chunk.control[k];
    WriteDatagramControl(record, segment, IsIpv6(), &header);
  }
  return messages;
}

// The segments of one record as datagrams of their own, from sent_bytes on. 0, or an errno.
int Sender::SendByHand(unsigned index) {
  DatagramRecord& record = slots.records[index];
  const uint32_t segment = record.segment_bytes;
  const uint32_t length = record.length;
  // Each round sends at least a byte: segment is not 0 here (CutsByHand).
  for (uint32_t at = record.sent_bytes; at < length;) {
    const uint32_t bytes = std::min(segment, length - at);
    if (!PrepareOne(0, 0, index, at, bytes)) return EINVAL;
    if ((record.flags & kAskedFlags) != 0) {
      chunk.messages[0].header.msg_control = chunk.control[0];
      WriteDatagramControl(record, 0, IsIpv6(), &chunk.messages[0].header);
    }
    slots.header->calls++;
    const int sent =
        CountsOfThread().Written(os::Sendmsg(fd, &chunk.messages[0].header, kSendFlags));
    if (sent < 0) return -sent;
    at += bytes;
    record.sent_bytes = at;
  }
  record.sent_bytes = 0;
  return 0;
}

// One call's worth: none of it, and an error, or some of it.
BatchResult Sender::SendSome(unsigned first, unsigned count) {
  const unsigned ready = Prepare(first, count);
  if (ready == 0) {
    const int error = CutsByHand(first) ? SendByHand(first) : EINVAL;
    if (error == 0) slots.records[first].error = 0;
    return {error == 0 ? 1U : 0U, error, 0};
  }
  BatchResult result = SendBatch(fd, chunk.messages, ready, kSendFlags);
  slots.header->calls += result.calls;
  // No system says this, and a loop must not live on it.
  if (result.count == 0 && result.error == 0) result.error = EAGAIN;
  unsigned records = 0;
  for (unsigned k = 0; k < result.count; k++) {
    records += runs[k];
    CountsOfThread().bytes_written += chunk.messages[k].length;
  }
  for (unsigned i = 0; i < records; i++) slots.records[first + i].error = 0;
  return {records, result.error, result.calls};
}

void Sender::Fail(unsigned index, int error) const {
  slots.records[index].error = static_cast<uint32_t>(error);
  slots.header->failed++;
}

// The first of what is left could not go, or not as it is: 1 when it is done, 0 to try it again in
// another way, -errno to stop.
int Sender::SettleFirst(unsigned index, int error) {
  if (CannotGoYet(error)) return -error;
  const bool segmented = runs[0] > 1 || (runs[0] == 1 && IsSegmented(At(index)));
  if (segmented && (error == EIO || error == EINVAL || error == EMSGSIZE)) {
    // EIO: the device cannot make the checksums. EINVAL, EMSGSIZE: more segments than the kernel
    // takes, or longer than the path's MTU; as datagrams of their own they may pass (T45).
    plain_until = index + runs[0];
    if (error == EIO) {
      options |= kDatagramNoSegments;
      slots.header->no_segments = 1;
    }
    return 0;
  }
  Fail(index, error);
  return 1;
}

}  // namespace

BatchResult ReceiveOneByOne(int fd, BatchMessage* messages, unsigned count, int flags) {
  for (unsigned i = 0; i < count; i++) {
    const int length = os::Recvmsg(fd, &messages[i].header, flags);
    if (length < 0) return {i, -length, i + 1};
    messages[i].length = static_cast<unsigned>(length);
  }
  return {count, 0, count};
}

BatchResult SendOneByOne(int fd, BatchMessage* messages, unsigned count, int flags) {
  for (unsigned i = 0; i < count; i++) {
    const int length = os::Sendmsg(fd, &messages[i].header, flags);
    if (length < 0) return {i, -length, i + 1};
    messages[i].length = static_cast<unsigned>(length);
  }
  return {count, 0, count};
}

BatchResult ReceiveBatch(int fd, BatchMessage* messages, unsigned count, int flags) {
  const int received = os::Recvmmsg(fd, messages, count, flags);
  if (received == -ENOSYS) return ReceiveOneByOne(fd, messages, count, flags);
  if (received < 0) return {0, -received, 1};
  return {static_cast<unsigned>(received), 0, 1};
}

BatchResult SendBatch(int fd, BatchMessage* messages, unsigned count, int flags) {
  const int sent = os::Sendmmsg(fd, messages, count, flags);
  if (sent == -ENOSYS) return SendOneByOne(fd, messages, count, flags);
  if (sent < 0) return {0, -sent, 1};
  return {static_cast<unsigned>(sent), 0, 1};
}

int DisconnectDatagrams(int fd) {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  const int error = os::Connect(fd, &none, sizeof none);
  // A BSD has dissolved the association when it says this: EAFNOSUPPORT is "harmlessly returned"
  // (connect(2) of FreeBSD and macOS), EINVAL of an IPv6 socket, whose addresses are longer (T61).
  if (error != -EAFNOSUPPORT && error != -EINVAL) return error;
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  const bool has_peer = os::Getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) >= 0;
  return has_peer ? error : 0;
}

int ReceiveDatagrams(int fd, const DatagramSlots& slots, unsigned first, unsigned count,
                     uint32_t options) {
  Chunk chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): PrepareReceive sets what is used
  const bool errors = (options & kDatagramErrorQueue) != 0;
  const int flags = MSG_DONTWAIT | (errors ? kErrorQueueFlag : kReceiveFlags);
  const bool wants_control = (options & (kDatagramControl | kDatagramErrorQueue)) != 0;
  bool may_retry = (options & kDatagramRetryPending) != 0;
  *slots.header = {};
  unsigned done = 0;
  while (done < count) {
    const unsigned size = std::min(count - done, kDatagramsPerCall);
    PrepareReceive(&chunk, slots, first + done, size, wants_control);
    const BatchResult result = ReceiveBatch(fd, chunk.messages, size, flags);
    slots.header->calls += result.calls;
    const size_t bytes = Unpack(chunk, slots, first + done, result.count);
    // What comes back in the error queue was sent, not received.
    if (!errors) CountsOfThread().bytes_read += bytes;
    done += result.count;
    if (result.error != 0 && !IsFull(result.error)) {
      // The error of a datagram that went to someone: its details are in the error queue.
      if (std::exchange(may_retry, false)) continue;
      slots.header->error = static_cast<uint32_t>(result.error);
    }
    if (done == 0 && result.error != 0) return -result.error;
    if (result.count < size) break;
  }
  return static_cast<int>(done);
}

int SendDatagrams(int fd, const DatagramSlots& slots, unsigned first, unsigned count,
                  uint32_t options) {
  Sender sender(fd, slots, options);
  *slots.header = {};
  bool may_retry = (options & kDatagramRetryPending) != 0;
  unsigned done = 0;
  int error = 0;
  while (done < count && error == 0) {
    const unsigned next = first + done;
    const BatchResult result = sender.SendSome(next, count - done);
    done += result.count;
    // After a partial count the reason is unknown (T45): the next round begins with that message,
    // and meets it.
    if (result.count > 0) {
      may_retry = (options & kDatagramRetryPending) != 0;
      continue;
    }
    if (!CannotGoYet(result.error) && std::exchange(may_retry, false)) continue;
    const int settled = sender.SettleFirst(next, result.error);
    if (settled < 0) error = -settled;
    if (settled > 0) done++;
  }
  return done == 0 && error != 0 ? -error : static_cast<int>(done);
}

}  // namespace tripoll
