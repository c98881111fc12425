// The table of a named pipe's halves (IOCP): each state with each input, and that at most one
// operation of a half is ever in the kernel, whatever comes in which order.
#include "windows/pipe_state.h"

#include <random>

#include "check.h"

namespace tripoll {

// For the messages of CHECK_EQ.
std::ostream& operator<<(std::ostream& out, PipeState state) {
  return out << static_cast<int>(state);
}
std::ostream& operator<<(std::ostream& out, PipeAction action) {
  return out << static_cast<int>(action);
}

}  // namespace tripoll

namespace {

using tripoll::NextPipeStep;
using tripoll::PipeAction;
using tripoll::PipeHalf;
using tripoll::PipeInput;
using tripoll::PipeState;
using tripoll::PipeStep;

constexpr PipeHalf kReading = PipeHalf::kReading;
constexpr PipeHalf kWriting = PipeHalf::kWriting;
constexpr int kInputs = static_cast<int>(PipeInput::kClose) + 1;

void CheckStep(PipeHalf half, PipeState from, PipeInput input, PipeState next, PipeAction action) {
  const PipeStep step = NextPipeStep(half, from, input);
  CHECK_EQ(step.next, next);
  CHECK_EQ(step.action, action);
}

}  // namespace

TEST(a_read_is_under_way_before_there_is_anything_to_read) {
  CheckStep(kReading, PipeState::kIdle, PipeInput::kStart, PipeState::kPending,
            PipeAction::kSubmit);
  CheckStep(kReading, PipeState::kPending, PipeInput::kStart, PipeState::kPending,
            PipeAction::kNone);
  CheckStep(kReading, PipeState::kPending, PipeInput::kPacket, PipeState::kReady,
            PipeAction::kNone);
  CheckStep(kReading, PipeState::kReady, PipeInput::kStart, PipeState::kReady, PipeAction::kNone);
  CheckStep(kReading, PipeState::kReady, PipeInput::kEmptied, PipeState::kIdle, PipeAction::kNone);
}

TEST(bytes_before_a_failure_are_read_first) {
  CheckStep(kReading, PipeState::kPending, PipeInput::kFailure, PipeState::kReady,
            PipeAction::kNone);
  CheckStep(kReading, PipeState::kReady, PipeInput::kEnd, PipeState::kEnded, PipeAction::kNone);
  CheckStep(kReading, PipeState::kPending, PipeInput::kRefused, PipeState::kEnded,
            PipeAction::kNone);
}

TEST(a_write_is_idle_again_with_its_packet) {
  CheckStep(kWriting, PipeState::kIdle, PipeInput::kStart, PipeState::kPending,
            PipeAction::kSubmit);
  CheckStep(kWriting, PipeState::kPending, PipeInput::kShort, PipeState::kPending,
            PipeAction::kSubmit);
  CheckStep(kWriting, PipeState::kPending, PipeInput::kPacket, PipeState::kIdle, PipeAction::kNone);
  CheckStep(kWriting, PipeState::kPending, PipeInput::kFailure, PipeState::kEnded,
            PipeAction::kNone);
  CheckStep(kWriting, PipeState::kPending, PipeInput::kRefused, PipeState::kEnded,
            PipeAction::kNone);
  CheckStep(kWriting, PipeState::kEnded, PipeInput::kStart, PipeState::kEnded, PipeAction::kNone);
}

TEST(the_end_of_our_side_makes_the_reader_look) {
  CheckStep(kReading, PipeState::kIdle, PipeInput::kFinish, PipeState::kReady, PipeAction::kNone);
  CheckStep(kReading, PipeState::kPending, PipeInput::kFinish, PipeState::kPending,
            PipeAction::kCancel);
  CheckStep(kReading, PipeState::kReady, PipeInput::kFinish, PipeState::kReady, PipeAction::kNone);
  CheckStep(kReading, PipeState::kEnded, PipeInput::kFinish, PipeState::kEnded, PipeAction::kNone);
}

TEST(T33_a_closed_half_waits_for_its_packet) {
  CheckStep(kReading, PipeState::kPending, PipeInput::kClose, PipeState::kClosing,
            PipeAction::kCancel);
  CheckStep(kWriting, PipeState::kPending, PipeInput::kClose, PipeState::kClosing,
            PipeAction::kLinger);
  for (const PipeHalf half : {kReading, kWriting}) {
    CheckStep(half, PipeState::kClosing, PipeInput::kClose, PipeState::kClosing, PipeAction::kNone);
    CheckStep(half, PipeState::kClosing, PipeInput::kEnd, PipeState::kClosing, PipeAction::kNone);
    CheckStep(half, PipeState::kPending, PipeInput::kEnd, PipeState::kPending, PipeAction::kNone);
    for (const PipeInput packet : {PipeInput::kPacket, PipeInput::kFailure, PipeInput::kShort}) {
      CheckStep(half, PipeState::kClosing, packet, PipeState::kReleased, PipeAction::kNone);
    }
    for (const PipeState state : {PipeState::kIdle, PipeState::kReady, PipeState::kEnded}) {
      CheckStep(half, state, PipeInput::kClose, PipeState::kReleased, PipeAction::kNone);
    }
  }
}

TEST(nothing_wakes_a_released_half) {
  for (const PipeHalf half : {kReading, kWriting}) {
    for (int input = 0; input < kInputs; input++) {
      CheckStep(half, PipeState::kReleased, static_cast<PipeInput>(input), PipeState::kReleased,
                PipeAction::kNone);
    }
  }
}

TEST(never_two_operations_of_a_half_in_the_kernel) {
  std::mt19937 random(6);
  for (const PipeHalf half : {kReading, kWriting}) {
    for (int round = 0; round < 2000; round++) {
      PipeState state = PipeState::kIdle;
      int in_kernel = 0;
      for (int i = 0; i < 40; i++) {
        const auto input = static_cast<PipeInput>(random() % kInputs);
        const bool is_packet = input == PipeInput::kPacket || input == PipeInput::kFailure ||
                               input == PipeInput::kRefused || input == PipeInput::kShort;
        if (is_packet && in_kernel == 0) continue;
        if (is_packet) in_kernel--;
        const PipeStep step = NextPipeStep(half, state, input);
        if (step.action == PipeAction::kSubmit) in_kernel++;
        state = step.next;
        CHECK_EQ(in_kernel, tripoll::IsInKernel(state) ? 1 : 0);
      }
    }
  }
}

TEST(readiness_is_what_would_not_say_EAGAIN) {
  using namespace tripoll;
  const uint32_t both = kInterestReadable | kInterestWritable;
  CHECK_EQ(ToPipeReadiness(PipeState::kPending, PipeState::kPending, both), 0u);
  CHECK_EQ(ToPipeReadiness(PipeState::kIdle, PipeState::kIdle, both), uint32_t{kWritable});
  CHECK_EQ(ToPipeReadiness(PipeState::kReady, PipeState::kPending, both), uint32_t{kReadable});
  CHECK_EQ(ToPipeReadiness(PipeState::kEnded, PipeState::kPending, both),
           uint32_t{kReadable | kReadClosed});
  CHECK_EQ(ToPipeReadiness(PipeState::kPending, PipeState::kEnded, both),
           uint32_t{kWritable | kWriteClosed | kError});
  CHECK_EQ(ToPipeReadiness(PipeState::kReady, PipeState::kIdle, kInterestWritable),
           uint32_t{kWritable});
  CHECK_EQ(ToPipeReadiness(PipeState::kEnded, PipeState::kEnded, 0), 0u);
}

RUN_TESTS()
