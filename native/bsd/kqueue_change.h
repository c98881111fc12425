// The fields of struct kevent have other types on each system, so it is made and read here alone.
#ifndef TRIPOLL_BSD_KQUEUE_CHANGE_H_
#define TRIPOLL_BSD_KQUEUE_CHANGE_H_

#include <cstdint>
#include <cstring>

#include "bsd/kqueue_calls.h"

namespace tripoll {

// udata is a pointer, and carries slot and generation as they are.
static_assert(sizeof(void*) == sizeof(uint64_t), "a token must fit udata: 64-bit systems only");

inline uint64_t ToToken(uint32_t slot, uint32_t generation) {
  return (static_cast<uint64_t>(generation) << 32) | slot;
}
inline uint32_t SlotOf(uint64_t token) { return static_cast<uint32_t>(token); }
inline uint32_t GenerationOf(uint64_t token) { return static_cast<uint32_t>(token >> 32); }

inline uint64_t TokenOf(const struct kevent& event) {
  uint64_t token = 0;
  std::memcpy(&token, &event.udata, sizeof token);
  return token;
}

// Every change carries the token, for a change of a filter that exists replaces its udata too.
inline struct kevent MakeChange(uintptr_t ident, int filter, uint32_t flags, uint32_t fflags,
                                uint64_t token) {
  struct kevent change {};
  change.ident = ident;
  change.filter = static_cast<decltype(change.filter)>(filter);
  change.flags = static_cast<decltype(change.flags)>(flags);
  change.fflags = static_cast<decltype(change.fflags)>(fflags);
  std::memcpy(&change.udata, &token, sizeof token);
  return change;
}

}  // namespace tripoll

#endif  // TRIPOLL_BSD_KQUEUE_CHANGE_H_
