// Addresses from text and back.
#include "address.h"

#include <cstddef>
#include <cstring>

#include "check.h"
#include "os_errno.h"

namespace {

int Parse(int family, const std::string& text) {
  tripoll::InternetAddress from;
  from.family = family;
  from.address = text;
  tripoll::SocketAddress to;
  return tripoll::ParseAddress(from, &to);
}

void GoesRound(int family, const std::string& text, const std::string& canonical, uint16_t port,
               uint32_t scope_id) {
  const tripoll::InternetAddress from{family, text, port, scope_id};
  tripoll::SocketAddress socket_address;
  CHECK_EQ(tripoll::ParseAddress(from, &socket_address), 0);
  CHECK_EQ(socket_address.get()->sa_family, family);
  const size_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  CHECK_EQ(static_cast<size_t>(socket_address.length), length);
  tripoll::InternetAddress back;
  CHECK_EQ(tripoll::FormatAddress(socket_address, &back), 0);
  CHECK_EQ(back.family, family);
  CHECK_EQ(back.address, canonical);
  CHECK_EQ(back.port, port);
  CHECK_EQ(back.scope_id, scope_id);
}

}  // namespace

TEST(an_address_goes_round) {
  GoesRound(AF_INET, "127.0.0.1", "127.0.0.1", 80, 0);
  GoesRound(AF_INET, "0.0.0.0", "0.0.0.0", 0, 0);
  GoesRound(AF_INET, "255.255.255.255", "255.255.255.255", 65535, 0);
  GoesRound(AF_INET6, "::1", "::1", 443, 0);
  GoesRound(AF_INET6, "::", "::", 0, 0);
  GoesRound(AF_INET6, "fe80:0:0:0:0:0:0:1", "fe80::1", 1, 3);
  GoesRound(AF_INET6, "::ffff:10.0.0.1", "::ffff:10.0.0.1", 258, 0);
  GoesRound(AF_INET6, "2001:0db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 9, 0xFFFFFFFFu);
}

TEST(the_port_is_in_network_order) {
  tripoll::SocketAddress to;
  CHECK_EQ(tripoll::ParseAddress({AF_INET, "1.2.3.4", 0x1234, 0}, &to), 0);
  const unsigned char expected[] = {0x12, 0x34, 1, 2, 3, 4};
  CHECK_EQ(std::memcmp(reinterpret_cast<const char*>(to.get()) + 2, expected, sizeof expected), 0);
}

TEST(a_text_that_is_no_address_is_EINVAL) {
  for (const char* text : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "::1",
                           "0x7f.0.0.1", "1.2.3.4:80"}) {
    CHECK_EQ(Parse(AF_INET, text), -EINVAL);
  }
  for (const char* text :
       {"", "localhost", "127.0.0.1", "::1%lo", "[::1]", ":::", "1::2::3", "g::"}) {
    CHECK_EQ(Parse(AF_INET6, text), -EINVAL);
  }
  CHECK_EQ(Parse(AF_INET, std::string(100000, '1')), -EINVAL);
}

TEST(what_follows_a_NUL_is_not_ignored) {
  CHECK_EQ(Parse(AF_INET, std::string("127.0.0.1\0.example", 18)), -EINVAL);
  CHECK_EQ(Parse(AF_INET6, std::string("::1\0", 4)), -EINVAL);
}

TEST(another_family_is_EAFNOSUPPORT) {
  CHECK_EQ(Parse(AF_UNIX, "127.0.0.1"), -EAFNOSUPPORT);
  CHECK_EQ(Parse(AF_UNSPEC, "127.0.0.1"), -EAFNOSUPPORT);
  tripoll::SocketAddress from;
  from.storage.ss_family = AF_UNIX;
  tripoll::InternetAddress to;
  CHECK_EQ(tripoll::FormatAddress(from, &to), -EAFNOSUPPORT);
}

RUN_TESTS()

// Addresses of Unix sockets as Windows gives them.
namespace {

constexpr socklen_t kPath = static_cast<socklen_t>(offsetof(sockaddr, sa_data));
// Of Windows' sockaddr_un (afunix.h).
constexpr socklen_t kWhole = kPath + 108;

struct Name {
  alignas(sockaddr) unsigned char bytes[kWhole] = {};

  Name(int family, const char* path, size_t length) {
    get()->sa_family = static_cast<decltype(sockaddr::sa_family)>(family);
    std::memcpy(bytes + kPath, path, length);
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(bytes); }
};

}  // namespace

TEST(a_unix_path_keeps_its_length) {
  Name name(AF_UNIX, "C:/a", 5);
  CHECK_EQ(tripoll::UnixNameLength(name.get(), kPath + 5), kPath + 5);
  CHECK_EQ(tripoll::UnixNameLength(name.get(), kWhole), kWhole);
}

TEST(T102_an_unnamed_socket_has_no_more_than_its_family) {
  Name name(AF_UNIX, "", 0);
  CHECK_EQ(tripoll::UnixNameLength(name.get(), kWhole), kPath);
  CHECK_EQ(tripoll::UnixNameLength(name.get(), kPath + 1), kPath);
  CHECK_EQ(tripoll::UnixNameLength(name.get(), kPath), kPath);
  CHECK_EQ(tripoll::UnixNameLength(name.get(), 0), socklen_t{0});
}

TEST(other_families_keep_their_length) {
  Name name(AF_INET, "", 0);
  CHECK_EQ(tripoll::UnixNameLength(name.get(), kWhole), kWhole);
}
