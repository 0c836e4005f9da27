// Waits on Linux: an epoll set of their own, beneath libuv's, which aborts the process or spins when the program has
// closed what is in it:
//
//   - Edge-triggered, so that a descriptor can stay in the set between two operations without anything to do for the
//     loop; a steady exchange of requests and answers costs no epoll_ctl. Who waits has tried before.
//   - Each registration has a number of its own, which the kernel gives back with its events. An event of an older
//     registration is dropped, so nobody gets what belonged to a closed descriptor.
//   - A registration is used again only for the very socket object that it was made for.
//   - When closed files keep reporting, the set is made anew.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "loop/loop.hpp"
#include "loop/waits.hpp"
#include "system/descriptors.hpp"

namespace mainspring {

namespace {

constexpr int kMostAtOnce = 128;
constexpr int kLeastAtOnce = 8;

// A descriptor that reports so often in a row while nobody waits for it leaves the set.
constexpr uint32_t kIdleEvents = 4;

// After so many events of files that cannot be taken out of the set any more, it is made anew.
constexpr int kStaleEvents = 16;

constexpr uint32_t kWakesReader = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr uint32_t kWakesWriter = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr uint32_t kInterest[2] = {EPOLLIN | EPOLLRDHUP, EPOLLOUT};

[[noreturn]] void fail() { throw std::system_error(errno, std::system_category()); }

}  // namespace

bool Waits::is_watched(const Entry& entry) { return entry.events != 0; }

void Waits::open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) fail();
  try {
    poller_ = uv::Poller::open(loop_.uv(), epoll_, this, serve, uv::Poller::kReadable);
  } catch (...) {
    ::close(std::exchange(epoll_, -1));
    throw;
  }
}

void Waits::close() {
  if (epoll_ < 0) return;
  std::exchange(poller_, nullptr)->close();
  ::close(std::exchange(epoll_, -1));
}

void Waits::watch(int fd, Direction direction, bool same) {
  if (epoll_ < 0) open();
  // What stays in the set from earlier operations is enough for reading: every arrival since is an edge. Whether there
  // is room for writing is asked anew, since a send() that took a part does not always cause one.
  Entry& entry = entries_[static_cast<size_t>(fd)];
  if (!same || direction == WatchedDescriptors::kWriter || !(entry.events & EPOLLIN)) {
    uint32_t events = kInterest[direction] | (same ? entry.events & kInterest[WatchedDescriptors::kReader] : 0);
    for (int i = 0; i < 2; ++i) {
      if (entry.waits[i]) events |= kInterest[i];
    }
    ask_for(fd, events);
  }
  entry.idle = 0;
}

void Waits::ask_for(int fd, uint32_t events) {
  Entry& entry = entries_[static_cast<size_t>(fd)];
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.u64 = static_cast<uint64_t>(++last_number_) << 32 | static_cast<uint32_t>(fd);
  // The kernel's and our idea of what is in the set differ when the program closed the descriptor or has two sockets
  // of one number.
  int status = -1;
  if (entry.events) {
    status = epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
    if (status < 0 && errno == ENOENT) status = epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  } else {
    status = epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    if (status < 0 && errno == EEXIST) status = epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  }
  entry.events = status < 0 ? 0 : events;
  if (status < 0) fail();
  entry.number = last_number_;
}

void Waits::unwatch(int fd) {
  Entry& entry = entries_[static_cast<size_t>(fd)];
  if (!std::exchange(entry.events, 0) || !loop_.uv().try_own()) return;
  epoll_event unused{};
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &unused);
}

void Waits::renew() {
  stale_ = 0;
  close();
  try {
    open();
  } catch (const std::system_error&) {
    // No descriptor left: the next operation that waits tries again.
    return;
  }
  watch_again();
}

void Waits::renew_set() {
  if (epoll_ < 0) return;
  const int fresh = epoll_create1(EPOLL_CLOEXEC);
  if (fresh < 0) fail();
  system::replace_descriptor(epoll_, fresh);
  watch_again();
}

// What is waited for, in a set that is empty.
void Waits::watch_again() {
  for (size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    entry.events = 0;
    const uint32_t events = (entry.waits[0] ? kInterest[0] : 0) | (entry.waits[1] ? kInterest[1] : 0);
    if (!events) continue;
    try {
      ask_for(static_cast<int>(i), events);
    } catch (const std::system_error&) {
      // Closed by the program: nothing will ever be reported of it.
    }
  }
}

// --- events ----------------------------------------------------------------------------------------------------------

int Waits::serve(void* owner, int) { return static_cast<Waits*>(owner)->take_events(); }

int Waits::take_events() {
  epoll_event events[kMostAtOnce];
  const int64_t fit = ArrivalBatch::kBytes / std::max<int64_t>(loop_.last_received, 1);
  const int most = awaits_room() ? kMostAtOnce : static_cast<int>(std::clamp<int64_t>(fit, kLeastAtOnce, kMostAtOnce));
  const int count = epoll_wait(epoll_, events, most, 0);
  // The set was reported as one descriptor itself.
  if (count > 1) loop_.counters.io_events += static_cast<uint64_t>(count) - 1;
  received_ = 0;
  for (int i = 0; i < count; ++i) {
    const uint64_t data = events[i].data.u64;
    deliver(static_cast<int>(data & 0xFFFFFFFF), static_cast<uint32_t>(data >> 32), events[i].events);
  }
  if (received_ == count && count < most) loop_.received_all();
  if (stale_ >= kStaleEvents) renew();
  return 0;
}

void Waits::deliver(int fd, uint32_t number, uint32_t events) {
  const auto index = static_cast<size_t>(fd);
  if (index >= entries_.size() || entries_[index].number != number || !entries_[index].events) {
    ++stale_;
    return;
  }
  bool told = false;
  bool blocked = false;
  for (const Direction direction : {WatchedDescriptors::kReader, WatchedDescriptors::kWriter}) {
    if (!(events & (direction == WatchedDescriptors::kReader ? kWakesReader : kWakesWriter))) continue;
    // An attempt may start other waits, which may move the entries.
    if (index >= entries_.size() || entries_[index].number != number) return;
    Wait* wait = entries_[index].waits[direction];
    if (!wait) continue;
    told = true;
    const Ref alive = Ref::borrow(wait->object);
    blocked |= wait->attempt(wait) && wait->waiting;
  }
  if (index >= entries_.size() || entries_[index].number != number) return;
  Entry& entry = entries_[index];
  if (blocked) {
    // Reported, but not so: for example room for writing in a socket whose receiver's queue is full. No edge may
    // follow, so the kernel is asked again in the next turn, as the default loop does.
    try {
      ask_for(fd, entry.events);
    } catch (const std::system_error&) {
      // Closed by the program: nothing will ever be reported of it.
    }
  } else if (!told && ++entry.idle >= kIdleEvents) {
    epoll_event unused{};
    entry.events = 0;
    if (epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &unused) < 0) ++stale_;
  }
}

}  // namespace mainspring
