// One closed-loop connection: `depth` messages are under way at any time, and each one that comes
// back is checked, stamped anew in place and sent again, all that came with one read in one send.
//
// A message is a 32-bit sequence number, the 32-bit connection number, and filling: what returns
// must be the next sequence number of this very connection, so a byte that is lost, doubled or
// swapped is seen.
#ifndef TRIPOLL_BENCH_LOAD_CONNECTION_H_
#define TRIPOLL_BENCH_LOAD_CONNECTION_H_

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "load_histogram.h"

namespace bench {

struct LoadCounters {
  uint64_t messages = 0;
  uint64_t reads = 0;  // that brought something
  LoadHistogram latency;
};

class LoadConnection {
 public:
  LoadConnection(uint32_t number, uint32_t size_bytes, uint32_t depth);
  ~LoadConnection();
  LoadConnection(LoadConnection&& other) noexcept;
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  void Connect(const sockaddr_in& server, const sockaddr_in& source);
  int fd() const { return fd_; }

  void SendFirst();
  void OnReady(LoadCounters* counters);
  void StopSending() { sending_ = false; }
  bool Drained() const { return received_ == sent_; }
  bool Answered() const { return received_ > 0; }

 private:
  size_t Receive();
  void Turn(uint8_t* message, uint64_t now_ns, LoadCounters* counters);
  void Stamp(uint8_t* message, uint32_t sequence) const;
  void Check(const uint8_t* message, uint32_t sequence) const;
  void Send(const uint8_t* data, size_t length);
  void Flush();
  size_t SendSome(const uint8_t* data, size_t length);

  int fd_ = -1;
  uint32_t number_;
  uint32_t size_bytes_;
  uint32_t depth_;
  bool sending_ = true;
  uint32_t sent_ = 0;  // messages; both wrap, only their difference and equality count
  uint32_t received_ = 0;
  size_t buffered_ = 0;  // bytes of a message that has not come whole
  std::vector<uint8_t> buffer_;
  std::vector<uint64_t> sent_at_ns_;
  std::vector<uint8_t> unsent_;
};

}  // namespace bench

#endif  // TRIPOLL_BENCH_LOAD_CONNECTION_H_
