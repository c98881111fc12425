// T35: which socket AFD is to poll, when layers of other programs lie over it. No machine here has
// such a layer: the answers are made up.
#include <map>

#include "check.h"
#include "os_errno.h"
#include "windows/afd.h"

namespace {

constexpr DWORD kBase = 0x48000022;
constexpr DWORD kBsp = 0x4800001B;
constexpr DWORD kSelect = 0x4800001C;
constexpr DWORD kPoll = 0x4800001D;
constexpr SOCKET kLayered = 100;

std::map<DWORD, SOCKET>& Answers() {
  static std::map<DWORD, SOCKET> answers;
  return answers;
}
int refusal = -ENOTSUP;

int Ask(SOCKET socket, DWORD code, SOCKET* out) {
  CHECK_EQ(socket, kLayered);
  const auto found = Answers().find(code);
  if (found == Answers().end()) return refusal;
  *out = found->second;
  return 0;
}

SOCKET Find(const std::map<DWORD, SOCKET>& answers, int expected) {
  Answers() = answers;
  SOCKET base = INVALID_SOCKET;
  CHECK_EQ(tripoll::FindBaseSocket(kLayered, Ask, &base), expected);
  return base;
}

}  // namespace

TEST(T35_the_base_where_it_is_told) {
  CHECK_EQ(Find({{kBase, 40}}, 0), SOCKET{40});
  CHECK_EQ(Find({{kBase, kLayered}}, 0), kLayered);
}

TEST(T35_where_it_is_refused_select_then_poll_tell) {
  CHECK_EQ(Find({{kSelect, 44}, {kPoll, 48}}, 0), SOCKET{44});
  CHECK_EQ(Find({{kPoll, 48}}, 0), SOCKET{48});
  CHECK_EQ(Find({{kBsp, 52}}, 0), SOCKET{52});
}

TEST(T35_a_layer_that_names_itself_is_passed_over) {
  CHECK_EQ(Find({{kSelect, kLayered}, {kPoll, 48}}, 0), SOCKET{48});
}

TEST(T35_nothing_helps) {
  Find({}, -ENOTSUP);
  Find({{kSelect, kLayered}}, -ENOTSUP);
}

TEST(what_is_no_socket_is_not_asked_again) {
  refusal = -ENOTSOCK;
  Find({{kSelect, 44}}, -ENOTSOCK);
  refusal = -ENOTSUP;
}

RUN_TESTS()
