// The life of one half of a named pipe, its reading or its writing, as a table: named states and
// one transition function. It knows nothing of Windows, and is tested on any system.
#ifndef TRIPOLL_WINDOWS_PIPE_STATE_H_
#define TRIPOLL_WINDOWS_PIPE_STATE_H_

#include <cstdint>

#include "poller.h"

namespace tripoll {

enum class PipeHalf : uint8_t { kReading, kWriting };

enum class PipeState : uint8_t {
  kIdle,      // no operation of it is in the kernel
  kPending,   // one is
  kReady,     // reading: there are bytes, or the end: the next read finds out
  kEnded,     // nothing goes this way any more
  kClosing,   // the pipe was closed; the memory waits for the packet (T33)
  kReleased,  // the pipe was closed and nothing of the kernel's points here
};

enum class PipeInput : uint8_t {
  kStart,    // a read is wanted, or bytes are to be written
  kPacket,   // the operation's packet came: it is done
  kFailure,  // the packet came, with an error
  kRefused,  // the operation that kSubmit asked for did not begin, so that no packet comes
  kShort,    // writing: its packet came, and some bytes are left
  kEmptied,  // reading: there was nothing, or all of it has been read
  kEnd,      // a read or a write has met the end
  kFinish,   // reading: our side has ended; what has come is still read, and then it is over
  kClose,    // the pipe was closed
};

enum class PipeAction : uint8_t {
  kNone,
  kSubmit,  // start the operation
  kCancel,  // end the one that is in the kernel
  kLinger,  // what has been taken to be written goes out, if it can
};

struct PipeStep {
  PipeState next;
  PipeAction action;
};

// NOLINTBEGIN(bugprone-branch-clone): each state has its own sentence, also where it does the same
inline PipeStep ClosePipeHalf(PipeHalf half, PipeState state) {
  switch (state) {
    case PipeState::kPending:
      return {PipeState::kClosing,
              half == PipeHalf::kReading ? PipeAction::kCancel : PipeAction::kLinger};
    case PipeState::kClosing:
      // Closed before.
      return {state, PipeAction::kNone};
    default:
      return {PipeState::kReleased, PipeAction::kNone};
  }
}

// What the packet of a half says, or that none will come.
inline PipeStep OnPipePacket(PipeHalf half, PipeState state, PipeInput input) {
  // Nobody is told any more, whatever it says.
  if (state == PipeState::kClosing) return {PipeState::kReleased, PipeAction::kNone};
  // No operation of it was in the kernel: the packet is none of its own.
  if (state != PipeState::kPending) return {state, PipeAction::kNone};
  if (input == PipeInput::kRefused) return {PipeState::kEnded, PipeAction::kNone};
  if (input == PipeInput::kShort) return {PipeState::kPending, PipeAction::kSubmit};
  // Also after a failure: bytes may be there, and come first.
  if (half == PipeHalf::kReading) return {PipeState::kReady, PipeAction::kNone};
  return {input == PipeInput::kFailure ? PipeState::kEnded : PipeState::kIdle, PipeAction::kNone};
}

inline PipeStep FinishPipeHalf(PipeState state) {
  switch (state) {
    case PipeState::kIdle:
      // Whoever reads finds what has come, or that it is over.
      return {PipeState::kReady, PipeAction::kNone};
    case PipeState::kPending:
      // Its packet makes it ready.
      return {state, PipeAction::kCancel};
    default:
      return {state, PipeAction::kNone};
  }
}

// NOLINTEND(bugprone-branch-clone)

inline PipeStep NextPipeStep(PipeHalf half, PipeState state, PipeInput input) {
  const bool gone = state == PipeState::kClosing || state == PipeState::kReleased;
  switch (input) {
    case PipeInput::kClose:
      return ClosePipeHalf(half, state);
    case PipeInput::kFinish:
      return FinishPipeHalf(state);
    case PipeInput::kStart:
      if (state == PipeState::kIdle) return {PipeState::kPending, PipeAction::kSubmit};
      return {state, PipeAction::kNone};
    case PipeInput::kEmptied:
      return {state == PipeState::kReady ? PipeState::kIdle : state, PipeAction::kNone};
    case PipeInput::kEnd:
      // A pending one ends with its packet.
      if (gone || state == PipeState::kPending) return {state, PipeAction::kNone};
      return {PipeState::kEnded, PipeAction::kNone};
    default:
      return OnPipePacket(half, state, input);
  }
}

inline bool IsInKernel(PipeState state) {
  return state == PipeState::kPending || state == PipeState::kClosing;
}

// What a registration with this interest is told: READABLE and WRITABLE say that a call would not
// answer EAGAIN. A half that nobody asks for tells nothing.
inline uint32_t ToPipeReadiness(PipeState reading, PipeState writing, uint32_t interest) {
  uint32_t readiness = 0;
  if ((interest & kInterestReadable) != 0) {
    if (reading == PipeState::kReady) readiness |= kReadable;
    if (reading == PipeState::kEnded) readiness |= kReadable | kReadClosed;
  }
  if ((interest & kInterestWritable) != 0) {
    if (writing == PipeState::kIdle) readiness |= kWritable;
    if (writing == PipeState::kEnded) readiness |= kWritable | kWriteClosed | kError;
  }
  return readiness;
}

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_PIPE_STATE_H_
