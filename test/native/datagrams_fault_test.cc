// Batches of datagrams over real sockets, and over a system that refuses: hidden errors of sendmmsg
// and GSO that fails (T45), no batch calls at all, errors between datagrams.
#include "datagrams.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "faulty_os_calls.h"

namespace {

using tripoll::DatagramHeader;
using tripoll::DatagramRecord;
using tripoll::DatagramSlots;

constexpr size_t kSlotBytes = 66000;  // more than any datagram: the kernel refuses those

struct Batch {
  explicit Batch(unsigned count, size_t slot_bytes = 1000)
      : records(count), payload(count * slot_bytes), slot_bytes(slot_bytes) {}

  DatagramSlots slots() { return {&header, records.data(), payload.data(), slot_bytes}; }
  void Fill(unsigned index, uint32_t length, char text) {
    records[index].length = length;
    std::memset(payload.data() + index * slot_bytes, text, length);
  }
  char TextOf(unsigned index) const { return static_cast<char>(payload[index * slot_bytes]); }

  DatagramHeader header{};
  std::vector<DatagramRecord> records;
  std::vector<uint8_t> payload;
  size_t slot_bytes;
};

int Bound(sockaddr_in* name) {
  const int fd = tripoll::os::Socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  *name = {};
  name->sin_family = AF_INET;
  name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof *name;
  auto* any = reinterpret_cast<sockaddr*>(name);
  CHECK_EQ(tripoll::os::Bind(fd, any, sizeof *name), 0);
  CHECK_EQ(tripoll::os::Getsockname(fd, any, &length), 0);
  return fd;
}

// A receiver, and a sender that is connected to it.
struct Pair {
  Pair() {
    fault::Reset();
    sockaddr_in name{};
    sockaddr_in own{};
    receiver = Bound(&name);
    sender = Bound(&own);
    CHECK_EQ(tripoll::os::Connect(sender, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    fault::Reset();
    CHECK_EQ(tripoll::os::Close(receiver), 0);
    CHECK_EQ(tripoll::os::Close(sender), 0);
  }
  // The first letters of all that has arrived, and its bytes.
  std::string Received(size_t* bytes = nullptr) const {
    Batch batch(200, 2000);
    const int count = tripoll::ReceiveDatagrams(receiver, batch.slots(), 0, 200, 0);
    std::string texts;
    for (int i = 0; i < count; i++) {
      texts += batch.TextOf(static_cast<unsigned>(i));
      if (bytes != nullptr) *bytes += batch.records[static_cast<unsigned>(i)].length;
    }
    return texts;
  }

  int receiver = -1;
  int sender = -1;
};

}  // namespace

TEST(T45_the_error_behind_a_partial_count_is_told_of_the_right_datagram) {
  const Pair pair;
  Batch batch(5, kSlotBytes);
  for (unsigned i = 0; i < 5; i++) batch.Fill(i, 10, static_cast<char>('a' + i));
  batch.Fill(1, 65900, 'b');  // EMSGSIZE, of the kernel itself
  batch.Fill(3, 65900, 'd');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 5, 0), 5);
  CHECK_EQ(batch.header.failed, 2U);
  const int expected[] = {0, EMSGSIZE, 0, EMSGSIZE, 0};
  for (unsigned i = 0; i < 5; i++) CHECK_EQ(static_cast<int>(batch.records[i].error), expected[i]);
  CHECK_EQ(pair.Received(), "ace");
  // a; b fails; c; d fails; e: a call is made again only for what it left.
  CHECK_EQ(batch.header.calls, 5U);
}

TEST(T45_an_error_is_told_of_the_first_and_the_last) {
  const Pair pair;
  Batch batch(3, kSlotBytes);
  batch.Fill(0, 65900, 'a');
  batch.Fill(1, 10, 'b');
  batch.Fill(2, 65900, 'c');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 3, 0), 3);
  CHECK_EQ(batch.header.failed, 2U);
  CHECK_EQ(batch.records[0].error, uint32_t{EMSGSIZE});
  CHECK_EQ(batch.records[1].error, 0U);
  CHECK_EQ(batch.records[2].error, uint32_t{EMSGSIZE});
  CHECK_EQ(pair.Received(), "b");
}

TEST(T45_a_full_socket_behind_a_partial_count_stops_there) {
  const Pair pair;
  Batch batch(3, kSlotBytes);
  batch.Fill(0, 10, 'a');
  batch.Fill(1, 65900, 'b');
  batch.Fill(2, 10, 'c');
  // After the partial count the socket is full: b has not failed, it waits.
  fault::After("Sendmmsg", [] { fault::Inject("Sendmmsg", EAGAIN); });
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 3, 0), 1);
  CHECK_EQ(batch.header.failed, 0U);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 1, 2, 0), 2);
  CHECK_EQ(batch.records[1].error, uint32_t{EMSGSIZE});
  CHECK_EQ(pair.Received(), "ac");
}

TEST(T61_a_disconnect_that_says_EAFNOSUPPORT_has_been_made) {
  for (const int error : {EAFNOSUPPORT, EINVAL}) {
    const Pair pair;
    fault::Before("Connect", [&pair] {
      sockaddr none{};
      none.sa_family = AF_UNSPEC;
      CHECK_EQ(connect(pair.sender, &none, sizeof none), 0);
    });
    fault::Inject("Connect", error);
    CHECK_EQ(tripoll::DisconnectDatagrams(pair.sender), 0);
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    CHECK_EQ(tripoll::os::Getpeername(pair.sender, reinterpret_cast<sockaddr*>(&peer), &length),
             -ENOTCONN);
  }
}

TEST(T61_a_disconnect_that_has_not_been_made_says_so) {
  const Pair pair;
  for (const int error : {EAFNOSUPPORT, EINVAL, ENOMEM}) {
    fault::Inject("Connect", error);
    CHECK_EQ(tripoll::DisconnectDatagrams(pair.sender), -error);
  }
  CHECK_EQ(tripoll::DisconnectDatagrams(pair.sender), 0);
  CHECK_EQ(tripoll::DisconnectDatagrams(pair.sender), 0);
}

TEST(T62_ENOBUFS_stops_a_batch_as_a_full_socket_does_and_no_datagram_has_failed) {
  for (const bool one_by_one : {false, true}) {
    const Pair pair;
    Batch batch(3);
    for (unsigned i = 0; i < 3; i++) batch.Fill(i, 10, static_cast<char>('a' + i));
    if (one_by_one) fault::Inject("Sendmmsg", ENOSYS, fault::kForEver);
    fault::Inject(one_by_one ? "Sendmsg" : "Sendmmsg", ENOBUFS);
    CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 3, 0), -ENOBUFS);
    CHECK_EQ(batch.header.failed, 0U);
    CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 3, 0), 3);
    CHECK_EQ(pair.Received(), "abc");
  }
}

TEST(a_full_socket_is_EAGAIN_when_nothing_was_sent) {
  const Pair pair;
  Batch batch(2);
  batch.Fill(0, 10, 'a');
  batch.Fill(1, 10, 'b');
  for (const int error : {EAGAIN, EINTR}) {
    fault::Inject("Sendmmsg", error);
    CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 2, 0), -error);
  }
  CHECK_EQ(pair.Received(), "");
}

TEST(T45_GSO_that_says_EIO_is_sent_again_as_plain_datagrams) {
  const Pair pair;
  Batch batch(3, 5000);
  for (unsigned i = 0; i < 3; i++) {
    batch.Fill(i, 5000, static_cast<char>('a' + i));
    batch.records[i].segment_bytes = 1200;
  }
  fault::Inject("Sendmmsg", EIO, fault::kForEver);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 3, 0), 3);
  CHECK_EQ(batch.header.failed, 0U);
  CHECK_EQ(batch.header.no_segments, 1U);
  // Asked once, then never: two of the three went by hand unasked.
  CHECK_EQ(fault::Calls("Sendmmsg"), 1);
  CHECK_EQ(fault::Calls("Sendmsg"), 15);
  size_t bytes = 0;
  CHECK_EQ(pair.Received(&bytes), "aaaaabbbbbccccc");
  CHECK_EQ(bytes, size_t{15000});
}

TEST(T45_segments_that_the_kernel_refuses_go_one_by_one) {
  const Pair pair;
  Batch batch(2, kSlotBytes);
  batch.Fill(0, 200, 'a');
  batch.records[0].segment_bytes = 1;  // 200 segments: more than any kernel takes at once
  batch.Fill(1, 10, 'b');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 2, 0), 2);
  CHECK_EQ(batch.header.failed, 0U);
  CHECK_EQ(batch.header.no_segments, 0U);
  size_t bytes = 0;
  static_cast<void>(pair.Received(&bytes));
  CHECK_EQ(bytes, size_t{200});
  CHECK_EQ(pair.Received(), "b");
}

TEST(T45_segments_cut_by_hand_go_on_where_a_full_socket_stopped_them) {
  const Pair pair;
  Batch batch(1, 5000);
  batch.Fill(0, 5000, 'a');
  batch.records[0].segment_bytes = 1200;
  const uint32_t by_hand = tripoll::kDatagramNoSegments;
  fault::After("Sendmsg", [] { fault::Inject("Sendmsg", EAGAIN); });
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 1, by_hand), -EAGAIN);
  CHECK_EQ(batch.records[0].sent_bytes, 1200U);
  // Also where the system would segment by now: what has gone must not go twice.
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 1, 0), 1);
  size_t bytes = 0;
  CHECK_EQ(pair.Received(&bytes), "aaaaa");
  CHECK_EQ(bytes, size_t{5000});
  CHECK_EQ(batch.records[0].sent_bytes, 0U);
}

TEST(alike_datagrams_in_a_row_are_one_message) {
  const Pair pair;
  Batch batch(8, 2000);
  const uint32_t lengths[] = {100, 100, 100, 40, 100, 100, 0, 200};
  for (unsigned i = 0; i < 8; i++) batch.Fill(i, lengths[i], static_cast<char>('a' + i));
  batch.records[5].flags = tripoll::kDatagramSendTos;
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 8, tripoll::kDatagramCoalesce), 8);
  CHECK_EQ(batch.header.calls, 1U);
  CHECK_EQ(batch.header.failed, 0U);
  Batch out(10, 2000);
  CHECK_EQ(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 10, 0), 8);
  for (unsigned i = 0; i < 8; i++) {
    CHECK_EQ(out.records[i].length, lengths[i]);
    if (lengths[i] > 0) CHECK_EQ(out.TextOf(i), static_cast<char>('a' + i));
  }
}

TEST(an_empty_datagram_between_alike_ones_arrives_as_itself) {
  const Pair pair;
  const uint32_t lengths[] = {100, 0, 100, 100, 0, 0, 50};
  Batch batch(7);
  for (unsigned i = 0; i < 7; i++) batch.Fill(i, lengths[i], static_cast<char>('a' + i));
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 7, tripoll::kDatagramCoalesce), 7);
  Batch seen(10);
  CHECK_EQ(tripoll::ReceiveDatagrams(pair.receiver, seen.slots(), 0, 10, 0), 7);
  for (unsigned i = 0; i < 7; i++) CHECK_EQ(seen.records[i].length, lengths[i]);
}

TEST(T45_joined_datagrams_that_say_EIO_go_as_they_are) {
  const Pair pair;
  Batch batch(6);
  for (unsigned i = 0; i < 6; i++) batch.Fill(i, 10, static_cast<char>('a' + i));
  fault::Inject("Sendmmsg", EIO);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 6, tripoll::kDatagramCoalesce), 6);
  CHECK_EQ(batch.header.failed, 0U);
  CHECK_EQ(batch.header.no_segments, 1U);
  CHECK_EQ(fault::Calls("Sendmmsg"), 2);
  CHECK_EQ(pair.Received(), "abcdef");
}

TEST(T45_joined_datagrams_that_are_refused_go_as_they_are_and_those_behind_them_joined) {
  const Pair pair;
  Batch batch(80);
  for (unsigned i = 0; i < 80; i++) batch.Fill(i, i < 3 ? 20 : 30, 'a');
  fault::Inject("Sendmmsg", EINVAL);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 80, tripoll::kDatagramCoalesce),
           80);
  CHECK_EQ(batch.header.failed, 0U);
  CHECK_EQ(batch.header.no_segments, 0U);
  CHECK_EQ(fault::Calls("Sendmmsg"), 3);
  CHECK_EQ(pair.Received().size(), size_t{80});
}

TEST(T45_an_error_of_joined_datagrams_is_told_of_the_first_and_the_others_go) {
  const Pair pair;
  Batch batch(4);
  for (unsigned i = 0; i < 4; i++) batch.Fill(i, 10, static_cast<char>('a' + i));
  // Of an earlier datagram: it is told once, by the first that meets it.
  fault::Inject("Sendmmsg", ECONNREFUSED);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 4, tripoll::kDatagramCoalesce), 4);
  CHECK_EQ(batch.header.failed, 1U);
  CHECK_EQ(batch.records[0].error, uint32_t{ECONNREFUSED});
  CHECK_EQ(pair.Received(), "bcd");
}

TEST(T45_joined_datagrams_and_a_full_socket) {
  const Pair pair;
  Batch batch(70);
  for (unsigned i = 0; i < 70; i++) batch.Fill(i, 10, 'a');
  fault::After("Sendmmsg", [] { fault::Inject("Sendmmsg", EAGAIN); });
  const uint32_t coalesce = tripoll::kDatagramCoalesce;
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 70, coalesce), 64);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 64, 6, coalesce), 6);
  CHECK_EQ(pair.Received().size(), size_t{70});
}

TEST(joined_datagrams_are_no_longer_than_a_message_may_be) {
  const Pair pair;
  const int bytes = 4'000'000;
  static_cast<void>(
      tripoll::os::Setsockopt(pair.receiver, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes));
  Batch batch(64, 1500);
  for (unsigned i = 0; i < 64; i++) batch.Fill(i, 1400, 'a');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 64, tripoll::kDatagramCoalesce),
           64);
  CHECK_EQ(batch.header.failed, 0U);
  // 46 and 18 of them.
  CHECK_EQ(batch.header.calls, 1U);
}

TEST(different_destinations_are_not_joined) {
  const Pair pair;
  sockaddr_in names[2];
  const int receivers[] = {Bound(&names[0]), Bound(&names[1])};
  sockaddr_in own{};
  const int sender = Bound(&own);
  Batch batch(4);
  for (unsigned i = 0; i < 4; i++) {
    batch.Fill(i, 10, static_cast<char>('a' + i));
    batch.records[i].peer.family = AF_INET;
    batch.records[i].peer.port = ntohs(names[i % 2].sin_port);
    std::memcpy(batch.records[i].peer.address, &names[i % 2].sin_addr, 4);
  }
  CHECK_EQ(tripoll::SendDatagrams(sender, batch.slots(), 0, 4, tripoll::kDatagramCoalesce), 4);
  for (unsigned i = 0; i < 2; i++) {
    Batch out(4);
    CHECK_EQ(tripoll::ReceiveDatagrams(receivers[i], out.slots(), 0, 4, 0), 2);
    CHECK_EQ(out.TextOf(1), static_cast<char>('c' + i));
    CHECK_EQ(tripoll::os::Close(receivers[i]), 0);
  }
  CHECK_EQ(tripoll::os::Close(sender), 0);
}

TEST(an_error_of_an_earlier_datagram_is_retried_once_and_no_more) {
  const Pair pair;
  Batch batch(2);
  batch.Fill(0, 10, 'a');
  batch.Fill(1, 10, 'b');
  const uint32_t retry = tripoll::kDatagramRetryPending;
  fault::Inject("Sendmmsg", ECONNREFUSED);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 2, retry), 2);
  CHECK_EQ(batch.header.failed, 0U);
  CHECK_EQ(pair.Received(), "ab");
  fault::Reset();
  fault::Inject("Sendmmsg", ECONNREFUSED, fault::kForEver);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 2, retry), 2);
  CHECK_EQ(batch.header.failed, 2U);
  CHECK_EQ(fault::Calls("Sendmmsg"), 3);  // the first twice: there was no progress since
  fault::Reset();
  fault::Inject("Sendmmsg", ECONNREFUSED);
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 2, 0), 2);
  CHECK_EQ(batch.records[0].error, uint32_t{ECONNREFUSED});
  CHECK_EQ(pair.Received(), "b");
}

TEST(without_the_batch_calls_the_same_goes_one_by_one) {
  const Pair pair;
  fault::Inject("Sendmmsg", ENOSYS, fault::kForEver);
  fault::Inject("Recvmmsg", ENOSYS, fault::kForEver);
  Batch batch(100, kSlotBytes);
  for (unsigned i = 0; i < 100; i++) batch.Fill(i, 10, static_cast<char>('a' + i % 26));
  batch.Fill(70, 65900, 's');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 100, 0), 100);
  CHECK_EQ(batch.header.failed, 1U);
  CHECK_EQ(batch.records[70].error, uint32_t{EMSGSIZE});
  // Each is counted; the long one was met twice (T45).
  CHECK_EQ(batch.header.calls, 101U);
  Batch out(200, 20);
  CHECK_EQ(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 200, 0), 99);
  CHECK_EQ(out.header.calls, 100U);
  CHECK_EQ(out.TextOf(98), static_cast<char>('a' + 99 % 26));
  CHECK_EQ(out.records[98].length, 10U);
  CHECK_EQ(out.header.error, 0U);
}

TEST(an_error_after_datagrams_is_kept_beside_them) {
  const Pair pair;
  Batch batch(2);
  batch.Fill(0, 10, 'a');
  batch.Fill(1, 10, 'b');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 2, 0), 2);
  fault::Inject("Recvmmsg", ENOSYS, fault::kForEver);
  fault::After("Recvmsg", [] { fault::Inject("Recvmsg", ENETDOWN); });
  Batch out(5);
  CHECK_EQ(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 5, 0), 1);
  CHECK_EQ(out.header.error, uint32_t{ENETDOWN});
  CHECK_EQ(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 5, 0), 1);
  CHECK_EQ(out.header.error, 0U);
  CHECK_EQ(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 5, 0), -EAGAIN);
}

TEST(a_record_that_no_system_call_should_see_fails_alone) {
  const Pair pair;
  Batch batch(4);
  for (unsigned i = 0; i < 4; i++) batch.Fill(i, 10, static_cast<char>('a' + i));
  batch.records[0].length = 1001;  // past its slot
  batch.records[2].peer.family = 77;
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 4, 0), 4);
  CHECK_EQ(batch.header.failed, 2U);
  CHECK_EQ(batch.records[0].error, uint32_t{EINVAL});
  CHECK_EQ(batch.records[2].error, uint32_t{EINVAL});
  CHECK_EQ(pair.Received(), "bd");
}

TEST(more_than_a_call_takes_is_several_calls) {
  const Pair pair;
  Batch batch(150);
  for (unsigned i = 0; i < 150; i++) batch.Fill(i, 10, static_cast<char>('a' + i % 26));
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 150, 0), 150);
  CHECK_EQ(batch.header.calls, 3U);
  Batch out(200);
  CHECK_EQ(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 200, 0), 150);
  CHECK_EQ(out.header.calls, 3U);
  CHECK_EQ(out.TextOf(149), static_cast<char>('a' + 149 % 26));
}

TEST(truncation_is_told_with_the_true_length) {
  const Pair pair;
  Batch batch(1);
  batch.Fill(0, 300, 'a');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 1, 0), 1);
  Batch out(1, 100);
  CHECK_EQ(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 1, 0), 1);
  CHECK_EQ(out.records[0].length, 100U);
  CHECK_EQ(out.records[0].wire_length, 300U);
  CHECK_EQ(out.records[0].flags & tripoll::kDatagramTruncated, 1U);
}

// Its owner may write anything into a record at any time.
TEST(records_of_any_content_are_sent_or_refused) {
  const Pair pair;
  std::mt19937 random(7);
  const auto below = [&](uint32_t limit) { return random() % limit; };
  const uint32_t families[] = {0, 0, AF_INET, AF_INET, AF_INET6, 77};
  for (int round = 0; round < 300; round++) {
    Batch batch(40, 100);
    for (DatagramRecord& record : batch.records) {
      record.length = below(8) == 0 ? random() : below(102);
      record.flags = random();
      record.segment_bytes = below(2) == 0 ? 0 : below(4) == 0 ? random() : below(60);
      record.sent_bytes = below(8) == 0 ? random() : 0;
      record.tos = random();
      record.ttl = random();
      record.peer.family = families[below(6)];
      record.peer.port = below(4) == 0 ? random() : 9;
      record.peer.address[0] = 127;
      record.local.family = families[below(6)];
      record.local.scope_id = below(2) == 0 ? 0 : random();
    }
    const uint32_t options = random() & ~uint32_t{tripoll::kDatagramErrorQueue};
    unsigned done = 0;
    // A full socket is not to be met here, so that each call settles one at least.
    while (done < 40) {
      const int settled =
          tripoll::SendDatagrams(pair.sender, batch.slots(), done, 40 - done, options);
      CHECK(settled > 0);
      if (settled <= 0) return;
      done += static_cast<unsigned>(settled);
    }
    for (const uint32_t wanted : {0U, 1U, 2U, 5U}) {
      Batch out(10, 1 + below(50));
      CHECK(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 10, wanted) != 0);
      CHECK(tripoll::ReceiveDatagrams(pair.sender, out.slots(), 0, 10, wanted) != 0);
    }
  }
}

RUN_TESTS()
