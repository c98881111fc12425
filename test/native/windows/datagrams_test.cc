// Datagrams over Winsock, and their ancillary data in the form that Windows documents: what is to
// be sent Wine leaves out, so that no test of sockets can see it.
#include "datagrams.h"

#include <cstring>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "datagram_control.h"
#include "windows/interfaces.h"

#include <iphlpapi.h>  // after the headers of Winsock

#include "os_errno.h"

namespace {

using tripoll::DatagramRecord;

struct Batch {
  explicit Batch(unsigned count, size_t slot_bytes = 1000)
      : records(count), payload(count * slot_bytes), slot_bytes(slot_bytes) {}
  tripoll::DatagramSlots slots() { return {&header, records.data(), payload.data(), slot_bytes}; }
  void Fill(unsigned index, uint32_t length, char text) {
    records[index].length = length;
    std::memset(payload.data() + index * slot_bytes, text, length);
  }

  tripoll::DatagramHeader header{};
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
    sockaddr_in own{};
    receiver = Bound(&name);
    sender = Bound(&own);
    CHECK_EQ(tripoll::os::Connect(sender, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    CHECK_EQ(tripoll::os::Close(receiver), 0);
    CHECK_EQ(tripoll::os::Close(sender), 0);
  }
  // Loopback is not instant here.
  int Receive(Batch* batch, unsigned count, uint32_t options) const {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(static_cast<SOCKET>(receiver), &readable);
    timeval deadline = {5, 0};
    CHECK_EQ(select(0, &readable, nullptr, nullptr, &deadline), 1);
    return tripoll::ReceiveDatagrams(receiver, batch->slots(), 0, count, options);
  }

  sockaddr_in name{};
  int receiver = -1;
  int sender = -1;
};

struct Part {
  int level;
  int type;
  uint32_t value;
};

// What a record that asks for so much becomes.
std::vector<Part> PartsOf(const DatagramRecord& record, bool is_ipv6) {
  alignas(cmsghdr) uint8_t control[tripoll::kDatagramControlBytes];
  msghdr message{};
  message.msg_control = control;
  tripoll::WriteDatagramControl(record, 0, is_ipv6, &message);
  std::vector<Part> parts;
  // By Winsock's own macros, not by ours.
  WSAMSG native{};
  native.Control = {static_cast<ULONG>(message.msg_controllen),
                    static_cast<char*>(message.msg_control)};
  for (auto* part = WSA_CMSG_FIRSTHDR(&native); part != nullptr;
       part = WSA_CMSG_NXTHDR(&native, part)) {
    uint32_t value = 0;
    std::memcpy(&value, WSA_CMSG_DATA(part), sizeof value);
    parts.push_back({part->cmsg_level, part->cmsg_type, value});
  }
  return parts;
}

}  // namespace

TEST(truncation_is_told_with_and_without_ancillary_data) {
  const Pair pair;
  const int on = 1;
  CHECK_EQ(tripoll::os::Setsockopt(pair.receiver, IPPROTO_IP, IP_PKTINFO, &on, sizeof on), 0);
  for (const uint32_t options : {0U, uint32_t{tripoll::kDatagramControl}}) {
    Batch batch(1);
    batch.Fill(0, 300, 'a');
    CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 1, 0), 1);
    Batch out(1, 100);
    CHECK_EQ(pair.Receive(&out, 1, options), 1);
    const DatagramRecord& record = out.records[0];
    CHECK_EQ(record.length, 100U);
    CHECK_EQ(record.flags & tripoll::kDatagramTruncated, 1U);
    CHECK_EQ(record.peer.family, uint32_t{AF_INET});
    CHECK_EQ((record.flags & tripoll::kDatagramHasLocal) != 0, options != 0);
  }
}

TEST(a_call_for_each_datagram_and_each_is_counted) {
  const Pair pair;
  Batch batch(100);
  for (unsigned i = 0; i < 100; i++) batch.Fill(i, 10, 'a');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 100, 0), 100);
  CHECK_EQ(batch.header.calls, 100U);
  CHECK_EQ(batch.header.failed, 0U);
  Batch out(200);
  unsigned received = 0;
  while (received < 100) {
    const int count = pair.Receive(&out, 200, 0);
    CHECK(count > 0);
    if (count <= 0) return;
    CHECK_EQ(out.header.calls, static_cast<unsigned>(count) + 1);
    received += static_cast<unsigned>(count);
  }
}

TEST(T45_what_cannot_be_sent_does_not_keep_the_others) {
  const Pair pair;
  Batch batch(3, 66000);
  batch.Fill(0, 10, 'a');
  batch.Fill(1, 65900, 'b');
  batch.Fill(2, 10, 'c');
  CHECK_EQ(tripoll::SendDatagrams(pair.sender, batch.slots(), 0, 3, 0), 3);
  CHECK_EQ(batch.header.failed, 1U);
  CHECK_EQ(batch.records[1].error, uint32_t{EMSGSIZE});
}

TEST(without_a_destination_it_is_EDESTADDRREQ_until_connected_and_once_more_after) {
  const Pair pair;
  sockaddr_in own{};
  const int fd = Bound(&own);
  const auto send = [fd] {
    Batch batch(1);
    batch.Fill(0, 1, 'a');
    CHECK_EQ(tripoll::SendDatagrams(fd, batch.slots(), 0, 1, 0), 1);
    return static_cast<int>(batch.records[0].error);
  };
  CHECK_EQ(send(), EDESTADDRREQ);
  CHECK_EQ(tripoll::os::Send(fd, "a", 1, 0), -EDESTADDRREQ);
  const auto* peer = reinterpret_cast<const sockaddr*>(&pair.name);
  CHECK_EQ(tripoll::os::Connect(fd, peer, sizeof pair.name), 0);
  CHECK_EQ(send(), 0);
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  CHECK_EQ(tripoll::os::Connect(fd, &none, sizeof none), 0);
  CHECK_EQ(send(), EDESTADDRREQ);
  CHECK_EQ(tripoll::os::Close(fd), 0);
}

TEST(what_goes_with_one_datagram_has_the_names_that_windows_documents) {
  DatagramRecord record{};
  CHECK_EQ(PartsOf(record, false).size(), size_t{0});
  record.flags = tripoll::kDatagramSendTos | tripoll::kDatagramSendTtl;
  record.tos = 0xb9;
  record.ttl = 33;
  for (const bool is_ipv6 : {false, true}) {
    const std::vector<Part> parts = PartsOf(record, is_ipv6);
    CHECK_EQ(parts.size(), size_t{2});
    CHECK_EQ(parts[0].level, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP);
    CHECK_EQ(parts[0].type, is_ipv6 ? IPV6_TCLASS : IP_TOS);
    CHECK_EQ(parts[0].value, 0xb9U);
    CHECK_EQ(parts[1].type, is_ipv6 ? IPV6_HOPLIMIT : IP_TTL);
    CHECK_EQ(parts[1].value, 33U);
  }
  // ECN alone goes by a name that older systems know.
  record.tos = 3;
  CHECK_EQ(PartsOf(record, false)[0].type, IP_ECN);
  CHECK_EQ(PartsOf(record, true)[0].type, IPV6_ECN);
}

TEST(a_source_address_is_packet_info) {
  DatagramRecord record{};
  record.flags = tripoll::kDatagramSendLocal | tripoll::kDatagramSendTtl;
  record.local.family = AF_INET;
  const uint32_t address = htonl(0x7f000009);
  std::memcpy(record.local.address, &address, sizeof address);
  std::vector<Part> parts = PartsOf(record, false);
  CHECK_EQ(parts.size(), size_t{2});
  CHECK_EQ(parts[1].type, IP_PKTINFO);
  CHECK_EQ(parts[1].value, address);
  record.local.family = AF_INET6;
  parts = PartsOf(record, true);
  CHECK_EQ(parts.size(), size_t{2});
  CHECK_EQ(parts[1].level, IPPROTO_IPV6);
  CHECK_EQ(parts[1].type, IPV6_PKTINFO);
}

TEST(packet_info_of_ipv4_has_the_form_of_the_senders_address) {
  DatagramRecord asked{};
  asked.flags = tripoll::kDatagramSendLocal;
  asked.local.family = AF_INET;
  asked.local.scope_id = 7;
  const uint8_t address[] = {127, 0, 0, 9};
  std::memcpy(asked.local.address, address, sizeof address);
  alignas(cmsghdr) uint8_t control[tripoll::kDatagramControlBytes];
  msghdr message{};
  message.msg_control = control;
  tripoll::WriteDatagramControl(asked, 0, false, &message);
  DatagramRecord record{};
  record.peer.family = AF_INET;
  tripoll::ReadDatagramControl(message, &record);
  CHECK_EQ(record.local.family, uint32_t{AF_INET});
  CHECK_EQ(record.local.scope_id, 7U);
  CHECK_EQ(std::memcmp(record.local.address, address, sizeof address), 0);
  record = {};
  record.peer.family = AF_INET6;
  tripoll::ReadDatagramControl(message, &record);
  CHECK_EQ(record.local.family, uint32_t{AF_INET6});
  const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 9};
  CHECK_EQ(std::memcmp(record.local.address, mapped, sizeof mapped), 0);
}

// Wine would tell it by IPv6's option alone.
TEST(an_ipv6_socket_is_asked_for_the_packet_info_of_ipv4_too) {
  const int fd = tripoll::os::Socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  int value = 0;
  CHECK_EQ(tripoll::os::Setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof value), 0);
  value = 1;
  CHECK_EQ(tripoll::os::Setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &value, sizeof value), 0);
  value = 0;
  socklen_t length = sizeof value;
  CHECK_EQ(tripoll::os::Getsockopt(fd, IPPROTO_IP, IP_PKTINFO, &value, &length), 0);
  CHECK_EQ(value, 1);
  CHECK_EQ(tripoll::os::Close(fd), 0);
}

TEST(interfaces_by_name_and_their_addresses) {
  in_addr address{};
  CHECK_EQ(tripoll::AddressOfInterface(0, &address), 0);
  CHECK_EQ(address.s_addr, 0U);
  CHECK_EQ(tripoll::AddressOfInterface(0x7fffffff, &address), -ENODEV);
  // Windows and Wine number the loopback interface 1.
  CHECK_EQ(tripoll::AddressOfInterface(1, &address), 0);
  CHECK_EQ(address.s_addr, htonl(INADDR_LOOPBACK));
  NET_LUID id{};
  wchar_t alias[IF_MAX_STRING_SIZE + 1];
  char name[4 * IF_MAX_STRING_SIZE];
  CHECK_EQ(ConvertInterfaceIndexToLuid(1, &id), DWORD{NO_ERROR});
  CHECK_EQ(ConvertInterfaceLuidToAlias(&id, alias, IF_MAX_STRING_SIZE + 1), DWORD{NO_ERROR});
  CHECK(WideCharToMultiByte(CP_UTF8, 0, alias, -1, name, sizeof name, nullptr, nullptr) > 0);
  CHECK_EQ(tripoll::os::IfNametoindex(name), 1);
  const std::string too_long(1000, 'x');
  for (const char* none : {"none0", "", "\xff\xfe", too_long.c_str()})
    CHECK_EQ(tripoll::os::IfNametoindex(none), -ENODEV);
}

// What a provider hands back is read as far as it is whole.
TEST(ancillary_data_of_any_content_is_read_within_its_bounds) {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; round++) {
    const size_t length = random() % 100;
    // Its own allocation, so that a sanitizer or a debugger would see a read past it.
    std::vector<uint64_t> memory((length + 7) / 8);
    auto* bytes = reinterpret_cast<uint8_t*>(memory.data());
    for (size_t i = 0; i < length; i++)
      bytes[i] = static_cast<uint8_t>(random() % 3 == 0 ? 0 : random() % 50);
    msghdr message{};
    message.msg_control = length == 0 ? nullptr : bytes;
    message.msg_controllen = length;
    unsigned parts = 0;
    for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      const auto* at = reinterpret_cast<const uint8_t*>(part);
      CHECK(at >= bytes && part->cmsg_len <= length - static_cast<size_t>(at - bytes));
      parts++;
    }
    CHECK(parts <= length / sizeof(cmsghdr));
  }
}

// Its owner may write anything into a record at any time.
TEST(records_of_any_content_are_sent_or_refused) {
  const Pair pair;
  std::mt19937 random(7);
  const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  const uint32_t families[] = {0, 0, AF_INET, AF_INET, AF_INET6, 77};
  for (int round = 0; round < 30; round++) {
    Batch batch(40, 100);
    for (DatagramRecord& record : batch.records) {
      record.length = below(8) == 0 ? random() : below(102);
      record.flags = random();
      record.segment_bytes = below(2) == 0 ? 0 : below(60);
      record.sent_bytes = below(8) == 0 ? random() : 0;
      record.tos = random();
      record.ttl = random();
      record.peer.family = families[below(6)];
      record.peer.port = below(4) == 0 ? random() : 9;
      record.peer.address[0] = 127;
      record.local.family = families[below(6)];
      record.local.scope_id = below(2) == 0 ? 0 : random();
    }
    const uint32_t options =
        (random() & ~uint32_t{tripoll::kDatagramErrorQueue}) | tripoll::kDatagramNoSegments;
    unsigned done = 0;
    while (done < 40) {
      const int settled =
          tripoll::SendDatagrams(pair.sender, batch.slots(), done, 40 - done, options);
      CHECK(settled > 0);
      if (settled <= 0) return;
      done += static_cast<unsigned>(settled);
    }
    for (const uint32_t wanted : {0U, 1U, 5U}) {
      Batch out(10, 1 + below(50));
      CHECK(tripoll::ReceiveDatagrams(pair.receiver, out.slots(), 0, 10, wanted) != 0);
    }
  }
}

RUN_TESTS()
