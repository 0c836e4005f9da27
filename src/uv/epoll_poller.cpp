#include "uv/epoll_poller.hpp"

#include <sys/epoll.h>

#include "uv/epoll_set.hpp"

namespace mainspring::uv {

namespace {

constexpr uint32_t kReads = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr uint32_t kWrites = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr uint32_t kEnds = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

// Stays the same while the owner does not want to read, so that pausing and resuming cost no system call, until so many
// reports have come for nothing.
constexpr uint32_t kArrivals = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
constexpr int kMostIdle = 4;

}  // namespace

Poller* Poller::open(EventLoop& loop, int fd, void* owner, Serve serve, int events, Told told) {
  return new EpollPoller(loop, fd, owner, serve, events, told);
}

EpollPoller::EpollPoller(EventLoop& loop, int fd, void* owner, Serve serve, int events, Told told)
    : Poller(loop, fd, owner, serve), told_(told) {
  loop.own();
  set_interest(events);
  try {
    loop.set().add(this);
  } catch (...) {
    set_interest(0);
    throw;
  }
}

void EpollPoller::watch(int events) {
  if (events == interest() || !loop_.try_own()) return;
  set_interest(events);
  idle_ = 0;
  if (!is_set()) loop_.set().note(this);
}

void EpollPoller::close() {
  begin_closing();
  loop_.set().remove(this);
  if (!noted_) release();
}

// A writer waits level-triggered: a send() that took a part does not always cause an edge.
uint32_t EpollPoller::wanted() const {
  const int events = interest();
  if (told_ == Told::kOfArrivals && !(events & kWritable)) return idle_ < kMostIdle ? kArrivals : 0;
  return (events & kReadable ? static_cast<uint32_t>(EPOLLIN | EPOLLRDHUP) : 0) |
         (events & kWritable ? static_cast<uint32_t>(EPOLLOUT) : 0);
}

bool EpollPoller::is_set() const {
  if (wanted() != asked_) return false;
  return armed_ || !(asked_ & EPOLLET) || !(interest() & kReadable);
}

void EpollPoller::reported(uint32_t events) {
  if (asked_ & EPOLLET) {
    armed_ = false;
    // A read ends in front of urgent data, and is short although there is more.
    if (events & EPOLLPRI) told_ = Told::kWhileReady;
    loop_.set().note(this);
  }
  const int told =
      (events & kReads ? kReadable : 0) | (events & kWrites ? kWritable : 0) | (events & kEnds ? kEnded : 0);
  if (told & interest()) {
    arrived(told);
  } else {
    ++idle_;
  }
}

}  // namespace mainspring::uv
