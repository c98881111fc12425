#include "load_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "load_options.h"
#include "load_probes.h"

namespace bench {
namespace {

struct Header {
  uint32_t sequence;
  uint32_t connection;
};

}  // namespace

LoadConnection::LoadConnection(uint32_t number, uint32_t size_bytes, uint32_t depth)
    : number_(number),
      size_bytes_(size_bytes),
      depth_(depth),
      buffer_(size_t{size_bytes} * depth, static_cast<uint8_t>('a' + number % 26)),
      sent_at_ns_(depth) {}

LoadConnection::~LoadConnection() {
  if (fd_ >= 0) close(fd_);
}

LoadConnection::LoadConnection(LoadConnection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      number_(other.number_),
      size_bytes_(other.size_bytes_),
      depth_(other.depth_),
      sending_(other.sending_),
      sent_(other.sent_),
      received_(other.received_),
      buffered_(other.buffered_),
      buffer_(std::move(other.buffer_)),
      sent_at_ns_(std::move(other.sent_at_ns_)),
      unsent_(std::move(other.unsent_)) {}

// Blocking while it connects, so that a full backlog slows it down instead of failing it.
void LoadConnection::Connect(const sockaddr_in& server, const sockaddr_in& source) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) Fail("socket for connection %u: %s", number_, strerror(errno));
  const int one = 1;
  // The port is chosen at connect, for the pair: else the ephemeral range is shared by all
  // destinations.
  if (setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0 ||
      setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
    Fail("setsockopt: %s", strerror(errno));
  }
  if (source.sin_family != 0 &&
      bind(fd_, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) {
    Fail("bind of connection %u: %s", number_, strerror(errno));
  }
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) {
    Fail("connect of connection %u: %s", number_, strerror(errno));
  }
}

void LoadConnection::Stamp(uint8_t* message, uint32_t sequence) const {
  const Header header{sequence, number_};
  memcpy(message, &header, sizeof header);
}

void LoadConnection::Check(const uint8_t* message, uint32_t sequence) const {
  Header header{};
  memcpy(&header, message, sizeof header);
  const auto fill = static_cast<uint8_t>('a' + number_ % 26);
  const bool filled = size_bytes_ == sizeof header || message[size_bytes_ - 1] == fill;
  if (header.sequence == sequence && header.connection == number_ && filled) return;
  Fail("wrong echo on connection %u: expected message %u, got message %u of connection %u%s",
       number_, sequence, header.sequence, header.connection,
       filled ? "" : " with a wrong last byte");
}

void LoadConnection::SendFirst() {
  const uint64_t now_ns = NowNs();
  for (uint32_t i = 0; i < depth_; i++) {
    Stamp(buffer_.data() + size_t{i} * size_bytes_, i);
    sent_at_ns_[i] = now_ns;
  }
  sent_ = depth_;
  Send(buffer_.data(), buffer_.size());
}

// The buffer holds all that can be under way, so one read is always enough: a later byte is a later
// edge.
size_t LoadConnection::Receive() {
  for (;;) {
    const ssize_t received =
        recv(fd_, buffer_.data() + buffered_, buffer_.size() - buffered_, MSG_DONTWAIT);
    if (received > 0) return static_cast<size_t>(received);
    if (received == 0)
      Fail("the server closed connection %u after %u messages", number_, received_);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) Fail("recv on connection %u: %s", number_, strerror(errno));
  }
}

// One message that has come back: counted, and made into the next one.
void LoadConnection::Turn(uint8_t* message, uint64_t now_ns, LoadCounters* counters) {
  Check(message, received_);
  uint64_t& sent_at_ns = sent_at_ns_[received_ % depth_];
  counters->latency.Add(now_ns - sent_at_ns);
  sent_at_ns = now_ns;
  received_++;
  if (sending_) Stamp(message, sent_++);
}

void LoadConnection::OnReady(LoadCounters* counters) {
  if (!unsent_.empty()) Flush();
  const size_t received = Receive();
  if (received == 0) return;
  const uint64_t now_ns = NowNs();
  const size_t available = buffered_ + received;
  const size_t whole = available - available % size_bytes_;
  for (size_t offset = 0; offset < whole; offset += size_bytes_)
    Turn(buffer_.data() + offset, now_ns, counters);
  counters->messages += whole / size_bytes_;
  counters->reads++;
  if (sending_ && whole > 0) Send(buffer_.data(), whole);
  buffered_ = available - whole;
  if (buffered_ > 0) memmove(buffer_.data(), buffer_.data() + whole, buffered_);
}

void LoadConnection::Send(const uint8_t* data, size_t length) {
  const size_t taken = unsent_.empty() ? SendSome(data, length) : 0;
  unsent_.insert(unsent_.end(), data + taken, data + length);
}

// What is left goes out on the socket's next EPOLLOUT edge.
void LoadConnection::Flush() {
  const size_t taken = SendSome(unsent_.data(), unsent_.size());
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<ptrdiff_t>(taken));
}

size_t LoadConnection::SendSome(const uint8_t* data, size_t length) {
  for (;;) {
    const ssize_t sent = send(fd_, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<size_t>(sent);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) Fail("send on connection %u: %s", number_, strerror(errno));
  }
}

}  // namespace bench
