// The IOCP poller over a driver that ends polls when it is told to: what Windows does in an order
// that cannot be had on demand.
#include "windows/iocp_poller.h"

#include <map>
#include <memory>
#include <random>
#include <set>

#include "check.h"
#include "faulty_afd.h"
#include "os_errno.h"
#include "socket_calls.h"

namespace {

using tripoll::EventRecord;
using tripoll::kInterestReadable;
using tripoll::kInterestWritable;
using tripoll::Poller;
using tripoll::Registration;

constexpr uint32_t kBoth = kInterestReadable | kInterestWritable;

struct Rig {
  Rig() {
    fault::Reset();
    int error = 0;
    poller = tripoll::IocpPoller::Open(&error);
    CHECK_EQ(error, 0);
  }
  ~Rig() {
    for (const int fd : fds) CHECK_EQ(tripoll::os::Close(fd), 0);
    // Or the end would wait for packets that never come.
    while (!fault::Polls().empty()) fault::Complete(0, 0);
    poller.reset();
  }
  int Socket() {
    const int fd = tripoll::os::Socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fd > 0);
    fds.push_back(fd);
    return fd;
  }
  int Add(int fd, uint32_t slot, uint32_t interest, uint32_t mode = tripoll::kModeLevel) {
    return poller->Add({fd, slot, 1, interest, mode});
  }
  int Wait() { return poller->Wait(0, records).count; }

  std::unique_ptr<Poller> poller;
  std::vector<int> fds;
  EventRecord records[tripoll::kEventBatchSize] = {};
};

}  // namespace

TEST(T34_every_poll_asks_for_what_always_matters) {
  Rig rig;
  CHECK_EQ(rig.Add(rig.Socket(), 1, kInterestReadable), 0);
  CHECK_EQ(rig.Add(rig.Socket(), 2, kInterestWritable), 0);
  const uint32_t always = tripoll::kAfdAbort | tripoll::kAfdConnectFail | tripoll::kAfdLocalClose;
  for (const fault::Poll& poll : fault::Polls()) CHECK_EQ(poll.events & always, always);
  // RECEIVE alone never sees the end.
  const uint32_t read = tripoll::kAfdReceive | tripoll::kAfdDisconnect;
  CHECK_EQ(fault::Polls()[0].events & read, read);
}

TEST(T31_a_wider_interest_cancels_before_it_asks_again) {
  Rig rig;
  const int fd = rig.Socket();
  CHECK_EQ(rig.Add(fd, 1, kInterestReadable), 0);
  CHECK_EQ(rig.poller->Modify({fd, 1, 1, kBoth, 0}), 0);
  CHECK_EQ(rig.Wait(), 0);
  CHECK_EQ(fault::Polls().size(), size_t{1});
  CHECK(fault::Polls()[0].cancelled);
  CHECK_EQ(fault::CompleteCancelled(), 1);
  CHECK_EQ(rig.Wait(), 0);
  CHECK_EQ(fault::Polls().size(), size_t{1});
  CHECK((fault::Polls()[0].events & tripoll::kAfdSend) != 0);
  CHECK_EQ(fault::MostOfOneSocket(), 1);
}

TEST(T31_whatever_comes_in_which_order) {
  Rig rig;
  std::mt19937 random(7);
  std::map<int, uint32_t> registered;
  for (int i = 0; i < 8; i++) rig.Socket();
  for (uint32_t step = 0; step < 20000; step++) {
    const int fd = rig.fds[random() % rig.fds.size()];
    const auto known = registered.find(fd);
    switch (random() % 5) {
      case 0:
        if (known == registered.end() && rig.poller->Add({fd, 1, step, random() % 8, 0}) == 0)
          registered[fd] = step;
        break;
      case 1:
        if (known != registered.end())
          CHECK_EQ(rig.poller->Modify({fd, 1, known->second, random() % 8, 0}), 0);
        break;
      case 2:
        if (known == registered.end() || random() % 4 != 0) break;
        CHECK_EQ(rig.poller->Delete(fd, 1, known->second), 0);
        registered.erase(known);
        break;
      case 3:
        if (!fault::Polls().empty()) {
          const size_t index = random() % fault::Polls().size();
          const fault::Poll& poll = fault::Polls()[index];
          fault::Complete(index, poll.cancelled && random() % 2 == 0
                                     ? 0
                                     : poll.events & (tripoll::kAfdReceive | tripoll::kAfdSend));
        }
        break;
      default:
        CHECK(rig.Wait() >= 0);
    }
  }
  CHECK_EQ(fault::MostOfOneSocket(), 1);
  for (const auto& [fd, generation] : registered)
    CHECK_EQ(rig.poller->Delete(fd, 1, generation), 0);
}

TEST(T32_sockets_share_handles_of_the_driver_up_to_a_bound) {
  Rig rig;
  for (uint32_t slot = 0; slot < 100; slot++)
    CHECK_EQ(rig.Add(rig.Socket(), slot, kInterestReadable), 0);
  CHECK_EQ(fault::OpenAfds(), 4);
  CHECK_EQ(fault::MostOfOneAfd(), 32);
  // Places that were given up are used again.
  for (uint32_t slot = 0; slot < 50; slot++)
    CHECK_EQ(rig.poller->Delete(rig.fds[slot], slot, 1), 0);
  CHECK_EQ(fault::CompleteCancelled(), 50);
  CHECK_EQ(rig.Wait(), 0);
  for (uint32_t slot = 0; slot < 50; slot++)
    CHECK_EQ(rig.Add(rig.fds[slot], slot, kInterestReadable), 0);
  CHECK_EQ(fault::OpenAfds(), 4);
  CHECK_EQ(fault::MostOfOneAfd(), 32);
}

TEST(T33_memory_outlives_the_cancel_until_its_packet_has_come) {
  Rig rig;
  const int first = rig.Socket();
  CHECK_EQ(rig.Add(first, 1, kInterestReadable), 0);
  const tripoll::AfdPoll* old = fault::Polls()[0].memory;
  CHECK_EQ(rig.poller->Delete(first, 1, 1), 0);
  std::set<const tripoll::AfdPoll*> others;
  for (uint32_t slot = 2; slot < 40; slot++) {
    CHECK_EQ(rig.Add(rig.Socket(), slot, kInterestReadable), 0);
    others.insert(fault::Polls().back().memory);
  }
  CHECK_EQ(others.count(old), size_t{0});
  // The cancel came too late: the packet tells data, of a registration that has gone.
  fault::Complete(0, tripoll::kAfdReceive);
  CHECK_EQ(rig.Wait(), 0);
  CHECK_EQ(rig.Add(rig.Socket(), 99, kInterestReadable), 0);
  CHECK(fault::Polls().back().memory == old);
}

TEST(T33_the_end_of_a_poller_waits_for_its_packets) {
  Rig rig;
  CHECK_EQ(rig.Add(rig.Socket(), 1, kInterestReadable), 0);
  CHECK_EQ(rig.Add(rig.Socket(), 2, kInterestReadable), 0);
  fault::CompleteOnCancel();
  rig.poller.reset();
  CHECK_EQ(fault::Polls().size(), size_t{0});
  CHECK_EQ(fault::Packets(), size_t{0});
  CHECK_EQ(fault::OpenAfds(), 0);
}

TEST(T36_a_failed_wait_has_no_packets_whatever_it_counts) {
  Rig rig;
  CHECK_EQ(rig.Add(rig.Socket(), 1, kInterestReadable), 0);
  fault::Complete(0, tripoll::kAfdReceive);
  CHECK_EQ(rig.Wait(), 1);
  // What the last wait left in the array is the same packet, once more.
  CHECK_EQ(rig.Wait(), 0);
  fault::FailWait(ERROR_INVALID_HANDLE, 1);
  CHECK_EQ(rig.Wait(), -EBADF);
  CHECK_EQ(fault::Polls().size(), size_t{1});
}

TEST(T01_a_packet_of_before_the_delete_is_no_event_of_the_next_owner) {
  Rig rig;
  const int fd = rig.Socket();
  CHECK_EQ(rig.Add(fd, 1, kInterestReadable), 0);
  fault::Complete(0, tripoll::kAfdReceive);
  CHECK_EQ(rig.poller->Delete(fd, 1, 1), 0);
  CHECK_EQ(rig.poller->Add({fd, 1, 2, kInterestReadable, 0}), 0);
  CHECK_EQ(rig.Wait(), 0);
  fault::Complete(0, tripoll::kAfdReceive);
  CHECK_EQ(rig.Wait(), 1);
  CHECK_EQ(rig.records[0].generation, 2u);
}

TEST(T02_an_error_of_a_deferred_modify_is_told_once_as_a_record) {
  Rig rig;
  const int fd = rig.Socket();
  CHECK_EQ(rig.Add(fd, 1, 0), 0);
  CHECK_EQ(rig.poller->Modify({fd, 1, 1, kInterestReadable, 0}), 0);
  fault::FailStart(EBADF);
  CHECK_EQ(rig.Wait(), 1);
  CHECK_EQ(rig.records[0].readiness >> tripoll::kReadinessErrnoShift, uint32_t{EBADF});
  CHECK_EQ(rig.Wait(), 0);
  CHECK_EQ(rig.poller->Delete(fd, 1, 1), 1);
}

TEST(an_error_that_says_nothing_of_the_socket_leaves_it_its_owners) {
  Rig rig;
  const int fd = rig.Socket();
  CHECK_EQ(rig.Add(fd, 1, 0), 0);
  CHECK_EQ(rig.poller->Modify({fd, 1, 1, kInterestReadable, 0}), 0);
  fault::FailStart(ENOMEM);
  CHECK_EQ(rig.Wait(), 1);
  CHECK_EQ(rig.poller->Modify({fd, 1, 1, kInterestReadable, 0}), 0);
  CHECK_EQ(rig.Wait(), 0);
  CHECK_EQ(fault::Polls().size(), size_t{1});
  CHECK_EQ(rig.poller->Delete(fd, 1, 1), 0);
}

TEST(T08_a_failed_add_leaves_nothing) {
  Rig rig;
  const int fd = rig.Socket();
  fault::FailStart(ENOMEM);
  CHECK_EQ(rig.Add(fd, 1, kInterestReadable), -ENOMEM);
  CHECK_EQ(rig.poller->Delete(fd, 1, 1), 1);
  CHECK_EQ(rig.Add(fd, 1, kInterestReadable), 0);
}

TEST(T02_a_socket_closed_behind_the_poller_is_told_and_its_number_can_be_added) {
  Rig rig;
  const int fd = rig.Socket();
  CHECK_EQ(rig.Add(fd, 1, kInterestReadable), 0);
  fault::Complete(0, tripoll::kAfdLocalClose);
  CHECK_EQ(rig.Wait(), 1);
  CHECK_EQ(rig.records[0].readiness & tripoll::kError, uint32_t{tripoll::kError});
  CHECK_EQ(rig.poller->Add({fd, 2, 1, kInterestReadable, 0}), 0);
  CHECK_EQ(rig.poller->Delete(fd, 1, 1), 1);
}

RUN_TESTS()
