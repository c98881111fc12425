// The life of one socket's poll in the kernel, as a table: named states and one transition
// function. It knows nothing of Windows, and is tested on any system.
#ifndef TRIPOLL_WINDOWS_SOCK_STATE_H_
#define TRIPOLL_WINDOWS_SOCK_STATE_H_

#include <cstdint>

namespace tripoll {

enum class SockState : uint8_t {
  kIdle,        // no poll is in the kernel
  kPolling,     // one is, and nobody has cancelled it
  kCancelling,  // one is, cancelled; its packet is on its way
  kDraining,    // the registration has gone; the memory waits for the packet (T33)
  kReleased,    // the registration has gone and nothing of the kernel's points here
};

enum class SockInput : uint8_t {
  kUpdate,  // what is wanted may have changed
  kPacket,  // the poll's packet came
  kRemove,  // the registration ends
};

enum class SockAction : uint8_t {
  kNone,
  kSubmit,   // start a poll for what is wanted
  kCancel,   // end the one that is in the kernel
  kDeliver,  // look at what the packet says, then ask again with kUpdate
};

struct SockStep {
  SockState next;
  SockAction action;
};

// What the registration wants at this moment, and what the outstanding poll asks for, in AFD's
// bits.
struct SockWish {
  uint32_t wanted;  // 0: nothing is to be asked
  uint32_t polled;
};

// NOLINTBEGIN(bugprone-branch-clone): each state has its own sentence, also where it does the same
inline SockStep UpdateSock(SockState state, const SockWish& wish) {
  switch (state) {
    case SockState::kIdle:
      if (wish.wanted == 0) return {state, SockAction::kNone};
      return {SockState::kPolling, SockAction::kSubmit};
    case SockState::kPolling:
      // It asks for all that is wanted: what it may report beyond that is left out on arrival.
      if ((wish.wanted & ~wish.polled) == 0) return {state, SockAction::kNone};
      // Only one poll per socket (T31): this one has to end before the next.
      return {SockState::kCancelling, SockAction::kCancel};
    case SockState::kCancelling:
      // The packet comes anyway, and then we ask for what is wanted by then.
      return {state, SockAction::kNone};
    default:
      // It has gone: nothing is asked for it any more.
      return {state, SockAction::kNone};
  }
}

inline SockStep OnSockPacket(SockState state) {
  switch (state) {
    case SockState::kPolling:
      return {SockState::kIdle, SockAction::kDeliver};
    case SockState::kCancelling:
      // It may have been complete when the cancel came: what it says counts.
      return {SockState::kIdle, SockAction::kDeliver};
    case SockState::kDraining:
      return {SockState::kReleased, SockAction::kNone};
    default:
      // No poll of it was in the kernel: the packet is none of its own.
      return {state, SockAction::kNone};
  }
}

inline SockStep RemoveSock(SockState state) {
  switch (state) {
    case SockState::kPolling:
      return {SockState::kDraining, SockAction::kCancel};
    case SockState::kCancelling:
      // Cancelled already; now nobody waits for it but the memory.
      return {SockState::kDraining, SockAction::kNone};
    case SockState::kDraining:
      // Removed before.
      return {state, SockAction::kNone};
    default:
      return {SockState::kReleased, SockAction::kNone};
  }
}

// NOLINTEND(bugprone-branch-clone)

inline SockStep NextSockStep(SockState state, SockInput input, const SockWish& wish) {
  if (input == SockInput::kPacket) return OnSockPacket(state);
  return input == SockInput::kRemove ? RemoveSock(state) : UpdateSock(state, wish);
}

inline bool IsInKernel(SockState state) {
  return state == SockState::kPolling || state == SockState::kCancelling ||
         state == SockState::kDraining;
}

}  // namespace tripoll

#endif  // TRIPOLL_WINDOWS_SOCK_STATE_H_
