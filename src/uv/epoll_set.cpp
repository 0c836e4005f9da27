#include "uv/epoll_set.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "system/descriptors.hpp"
#include "uv/epoll_poller.hpp"

namespace mainspring::uv {

namespace {

// After so many events of files that cannot be taken out of the set any more, it is made anew.
constexpr int kStaleEvents = 16;

int make_set() {
  const int set = epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) system::fail(errno, "epoll_create1");
  return set;
}

}  // namespace

EpollSet::EpollSet() : epoll_(make_set()) {}

EpollSet::~EpollSet() { ::close(epoll_); }

// 0 or the error.
int EpollSet::ask(int operation, int fd, uint32_t events, uint32_t number) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = static_cast<uint64_t>(number) << 32 | static_cast<uint32_t>(fd);
  return epoll_ctl(epoll_, operation, fd, &event) == 0 ? 0 : errno;
}

// The number 0 is that of what is no Poller.
void EpollSet::add_special(int fd, uint32_t events) {
  if (const int error = ask(EPOLL_CTL_ADD, fd, events, 0)) system::fail(error, "epoll_ctl");
}

void EpollSet::add_libuv(int fd) {
  libuv_ = fd;
  add_special(fd, EPOLLIN);
}

// By its edges, so that nobody has to read it.
void EpollSet::add_alarm(int fd) {
  alarm_ = fd;
  add_special(fd, EPOLLIN | EPOLLET);
}

void EpollSet::add(EpollPoller* poller) {
  const auto index = static_cast<size_t>(poller->fd());
  if (index >= pollers_.size()) pollers_.resize(index + 64);
  EpollPoller* const before = pollers_[index];
  pollers_[index] = poller;
  if (const int error = set(poller)) {
    pollers_[index] = before;
    system::fail(error, "epoll_ctl");
  }
  if (before) {
    // Its file has been closed without a word, and another has its number.
    before->asked_ = 0;
  } else {
    ++open_;
  }
}

void EpollSet::remove(EpollPoller* poller) {
  const auto index = static_cast<size_t>(poller->fd());
  // An abandoned loop is a forked child's, whose set is its parent's as well.
  const bool own = poller->loop_.try_own();
  if (pollers_[index] != poller) return;
  if (own && poller->asked_) ask(EPOLL_CTL_DEL, poller->fd(), 0, 0);
  pollers_[index] = nullptr;
  --open_;
}

void EpollSet::note(EpollPoller* poller) {
  if (poller->noted_) return;
  noted_.push_back(poller);
  poller->noted_ = true;
}

// Asks for what the Poller wants. 0 or the error.
int EpollSet::set(EpollPoller* poller) {
  const int fd = poller->fd();
  if (pollers_[static_cast<size_t>(fd)] != poller) return 0;
  const uint32_t wanted = poller->wanted();
  int error = 0;
  const uint32_t number = ++last_number_;
  if (last_number_ == 0) ++last_number_;
  if (!wanted) {
    error = ask(EPOLL_CTL_DEL, fd, 0, 0);
    if (error == ENOENT) error = 0;
  } else if (!poller->asked_) {
    error = ask(EPOLL_CTL_ADD, fd, wanted, number);
  } else {
    error = ask(EPOLL_CTL_MOD, fd, wanted, number);
    // Another file has got this number.
    if (error == ENOENT) error = ask(EPOLL_CTL_ADD, fd, wanted, number);
  }
  if (error) return error;
  poller->asked_ = wanted;
  poller->number_ = number;
  poller->armed_ = true;
  return 0;
}

bool EpollSet::apply() {
  if (events_.size() < open_ + 2) events_.resize(2 * (open_ + 2));
  size_t left = 0;
  for (EpollPoller* poller : noted_) {
    if (poller->closing()) {
      poller->noted_ = false;
      poller->release();
      continue;
    }
    // Of what the program has closed itself nothing will ever be reported.
    const int error = poller->is_set() ? 0 : set(poller);
    if (error && error != EBADF) {
      noted_[left++] = poller;
    } else {
      poller->noted_ = false;
    }
  }
  noted_.resize(left);
  return left == 0;
}

void EpollSet::wait(int timeout) {
  found_ = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout);
  if (found_ < 0) found_ = -errno;
}

EpollSet::Special EpollSet::report() {
  Special special{false, false};
  const int found = std::exchange(found_, 0);
  if (found < 0 && found != -EINTR) system::fail(-found, "epoll_wait");
  for (int i = 0; i < found; ++i) {
    const uint64_t data = events_[static_cast<size_t>(i)].data.u64;
    const auto number = static_cast<uint32_t>(data >> 32);
    const auto fd = static_cast<size_t>(data & 0xFFFFFFFF);
    if (number == 0) {
      special.libuv |= static_cast<int>(fd) == libuv_;
      special.alarm |= static_cast<int>(fd) == alarm_;
    } else if (fd < pollers_.size() && pollers_[fd] && pollers_[fd]->number_ == number) {
      pollers_[fd]->reported(events_[static_cast<size_t>(i)].events);
    } else {
      ++stale_;
    }
  }
  if (stale_ >= kStaleEvents) [[unlikely]] {
    stale_ = 0;
    try {
      renew();
      if (libuv_ >= 0) add_libuv(libuv_);
    } catch (const std::system_error&) {
      // No descriptor left: it is tried again after as many events.
    }
  }
  return special;
}

void EpollSet::renew() {
  system::replace_descriptor(epoll_, make_set());
  if (alarm_ >= 0) add_alarm(alarm_);
  for (EpollPoller* poller : pollers_) {
    if (!poller) continue;
    poller->asked_ = 0;
    if (set(poller)) note(poller);
  }
}

void EpollSet::close_all() {
  for (size_t i = 0; i < pollers_.size(); ++i) {
    if (pollers_[i]) pollers_[i]->close();
  }
  for (EpollPoller* poller : std::exchange(noted_, {})) {
    poller->noted_ = false;
    if (poller->closing()) poller->release();
  }
}

}  // namespace mainspring::uv
