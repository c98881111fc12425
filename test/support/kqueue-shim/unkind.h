// What kernels other than Linux do, and what Linux can be made to do: TRIPOLL_UNKIND names any of
// these, separated by commas, or "all". docs/portability.md has them.
#ifndef TRIPOLL_TEST_KQUEUE_SHIM_UNKIND_H_
#define TRIPOLL_TEST_KQUEUE_SHIM_UNKIND_H_

namespace kqueue_shim {

enum class Unkind {
  kEnableAlone,        // enable-alone: EV_ENABLE without EV_ADD does not look again (NetBSD 7)
  kNoBuffers,          // no-buffers: ENOBUFS for a full datagram receiver, writable all the time
  kDroppedSyn,         // dropped-syn: to a port that is bound and does not listen (NetBSD, XNU)
  kSmallSockets,       // small-sockets: a stream takes some 50 KB (NetBSD, FreeBSD: 49 to 74)
  kFullBacklog,        // full-backlog: 128 at most, and a reset beyond (FreeBSD)
  kHangUpAtHalfClose,  // hang-up-at-half-close: POLLHUP for either direction, and no POLLERR (XNU)
  kNoPollerr,          // no-pollerr: of a socket (FreeBSD, NetBSD)
  kNoInodes,           // no-inodes: st_ino of sockets and pipes is 0 (FreeBSD, macOS)
  kNoAbstractNames,    // no-abstract-names
  kNoSeqpacket,        // no-seqpacket (macOS)
  kNoSocketMode,       // no-socket-mode: fchmod of a socket is EINVAL (macOS, the BSDs)
  kOneLoopback,        // one-loopback: of 127/8 there is 127.0.0.1 alone
};

bool Is(Unkind what);

}  // namespace kqueue_shim

#endif  // TRIPOLL_TEST_KQUEUE_SHIM_UNKIND_H_
