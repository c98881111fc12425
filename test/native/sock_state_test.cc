// The table of a socket's poll (IOCP): each state with each input, and that at most one poll is
// ever in the kernel, whatever comes in which order.
#include "windows/sock_state.h"

#include <cstdint>
#include <random>

#include "check.h"

namespace tripoll {

// For the messages of CHECK_EQ.
std::ostream& operator<<(std::ostream& out, SockState state) {
  return out << static_cast<int>(state);
}
std::ostream& operator<<(std::ostream& out, SockAction action) {
  return out << static_cast<int>(action);
}

}  // namespace tripoll

namespace {

using tripoll::NextSockStep;
using tripoll::SockAction;
using tripoll::SockInput;
using tripoll::SockState;
using tripoll::SockStep;
using tripoll::SockWish;

constexpr SockWish kNothing{0, 0};

void CheckStep(SockState from, SockInput input, const SockWish& wish, SockState next,
               SockAction action) {
  const SockStep step = NextSockStep(from, input, wish);
  CHECK_EQ(step.next, next);
  CHECK_EQ(step.action, action);
}

}  // namespace

TEST(idle_asks_for_what_is_wanted) {
  CheckStep(SockState::kIdle, SockInput::kUpdate, {1, 0}, SockState::kPolling, SockAction::kSubmit);
  CheckStep(SockState::kIdle, SockInput::kUpdate, kNothing, SockState::kIdle, SockAction::kNone);
}

TEST(T31_polling_for_less_than_is_wanted_is_cancelled_first) {
  CheckStep(SockState::kPolling, SockInput::kUpdate, {3, 1}, SockState::kCancelling,
            SockAction::kCancel);
  CheckStep(SockState::kPolling, SockInput::kUpdate, {1, 3}, SockState::kPolling,
            SockAction::kNone);
  CheckStep(SockState::kPolling, SockInput::kUpdate, {0, 3}, SockState::kPolling,
            SockAction::kNone);
  CheckStep(SockState::kCancelling, SockInput::kUpdate, {3, 1}, SockState::kCancelling,
            SockAction::kNone);
}

TEST(a_packet_ends_the_poll_and_is_looked_at) {
  CheckStep(SockState::kPolling, SockInput::kPacket, kNothing, SockState::kIdle,
            SockAction::kDeliver);
  CheckStep(SockState::kCancelling, SockInput::kPacket, kNothing, SockState::kIdle,
            SockAction::kDeliver);
}

TEST(T33_what_is_removed_waits_for_its_packet) {
  CheckStep(SockState::kIdle, SockInput::kRemove, kNothing, SockState::kReleased,
            SockAction::kNone);
  CheckStep(SockState::kPolling, SockInput::kRemove, kNothing, SockState::kDraining,
            SockAction::kCancel);
  CheckStep(SockState::kCancelling, SockInput::kRemove, kNothing, SockState::kDraining,
            SockAction::kNone);
  CheckStep(SockState::kDraining, SockInput::kPacket, kNothing, SockState::kReleased,
            SockAction::kNone);
}

TEST(what_has_gone_asks_for_nothing) {
  for (const SockState state : {SockState::kDraining, SockState::kReleased}) {
    CheckStep(state, SockInput::kUpdate, {7, 0}, state, SockAction::kNone);
    CheckStep(state, SockInput::kRemove, {7, 0}, state, SockAction::kNone);
  }
}

TEST(T31_never_two_polls_in_the_kernel) {
  std::mt19937 random(1);
  for (int life = 0; life < 2000; life++) {
    SockState state = SockState::kIdle;
    uint32_t polled = 0;
    int in_kernel = 0;
    for (int i = 0; i < 40 && state != SockState::kReleased; i++) {
      auto input = static_cast<SockInput>(random() % 3);
      if (input == SockInput::kRemove && i < 10) input = SockInput::kUpdate;
      if (input == SockInput::kPacket && in_kernel == 0) continue;
      const SockWish wish{static_cast<uint32_t>(random() % 8), polled};
      const SockStep step = NextSockStep(state, input, wish);
      state = step.next;
      if (input == SockInput::kPacket) in_kernel--;
      if (step.action == SockAction::kSubmit) {
        in_kernel++;
        polled = wish.wanted;
      }
      if (step.action == SockAction::kCancel) CHECK_EQ(in_kernel, 1);
      CHECK_EQ(in_kernel, tripoll::IsInKernel(state) ? 1 : 0);
    }
  }
}

RUN_TESTS()
