// Waits on Linux, in the loop's own epoll set. (libuv aborts the process or spins when the program has closed what it
// watches; the set drops what is reported of an older registration, and is made anew when closed files keep reporting.)
//
//   - Readers are told of arrivals, so that a descriptor can stay in the set between two operations without anything to
//     do for the loop; a steady exchange of requests and answers costs no epoll_ctl. Who waits has tried before.
//   - A registration is used again only for the very socket object that it was made for.
#include <utility>

#include "loop/loop.hpp"
#include "loop/waits.hpp"

namespace mainspring {

namespace {

constexpr int kEvents[2] = {uv::Poller::kReadable, uv::Poller::kWritable};

}  // namespace

bool Waits::is_watched(const Entry& entry) { return entry.poller != nullptr; }

void Waits::watch(int fd, Direction direction, bool same) {
  Entry& entry = entries_[static_cast<size_t>(fd)];
  entry.table = this;
  int events = kEvents[direction];
  for (const Direction other : {WatchedDescriptors::kReader, WatchedDescriptors::kWriter}) {
    if (entry.waits[other]) events |= kEvents[other];
  }
  if (!same) unwatch(fd);
  if (entry.poller) {
    entry.poller->watch(events);
  } else {
    entry.poller = uv::Poller::open(loop_.uv(), fd, &entry, serve, events, uv::Poller::Told::kOfArrivals);
    entry.poller->let_wait();
  }
  if (direction == WatchedDescriptors::kReader) entry.poller->emptied();
}

void Waits::unwatch(int fd, Direction direction) {
  uv::Poller* poller = entries_[static_cast<size_t>(fd)].poller;
  if (!poller) return;
  poller->watch(poller->interest() & ~kEvents[direction]);
  if (poller->is_copy() && !poller->interest()) unwatch(fd);
}

void Waits::unwatch(int fd) {
  if (uv::Poller* poller = std::exchange(entries_[static_cast<size_t>(fd)].poller, nullptr)) poller->close();
}

void Waits::let_go(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index < entries_.size() && entries_[index].poller && entries_[index].poller->is_copy()) unwatch(fd);
}

int Waits::serve(void* owner, int events) {
  auto* entry = static_cast<Entry*>(owner);
  uv::Poller* const poller = entry->poller;
  bool received = false;
  for (const Direction direction : {WatchedDescriptors::kReader, WatchedDescriptors::kWriter}) {
    // The first attempt may have given the number to another socket.
    if (!(events & kEvents[direction]) || entry->poller != poller) continue;
    Wait* wait = entry->waits[direction];
    if (!wait) continue;
    const Ref alive = Ref::borrow(wait->object);
    received |= wait->attempt(wait);
  }
  if (received) entry->table->loop_.received_all();
  return 0;
}

}  // namespace mainspring
