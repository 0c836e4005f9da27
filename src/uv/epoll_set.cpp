#include "uv/epoll_set.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "system/descriptors.hpp"
#include "uv/epoll_poller.hpp"

namespace mainspring::uv {

namespace {

int make_set() {
  const int set = epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) system::fail(errno, "epoll_create1");
  return set;
}

// 0 or the error.
int control(int set, int operation, int fd, uint32_t events, uint32_t number) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = static_cast<uint64_t>(number) << 32 | static_cast<uint32_t>(fd);
  return epoll_ctl(set, operation, fd, &event) == 0 ? 0 : errno;
}

// The number 0 is that of what is no Poller.
void add_special(int set, int fd, uint32_t events) {
  if (const int error = control(set, EPOLL_CTL_ADD, fd, events, 0)) system::fail(error, "epoll_ctl");
}

bool is_short_of_memory(int error) { return error == ENOMEM || error == ENOSPC; }

constexpr uint32_t kLibuvEvents = EPOLLIN;

// By its edges, so that nobody has to read it.
constexpr uint32_t kAlarmEvents = EPOLLIN | EPOLLET;

}  // namespace

EpollSet::EpollSet() : epoll_(make_set()) {}

EpollSet::~EpollSet() { ::close(epoll_); }

int EpollSet::ask(int operation, int fd, uint32_t events, uint32_t number) const {
  return control(epoll_, operation, fd, events, number);
}

void EpollSet::add_libuv(int fd) {
  add_special(epoll_, fd, kLibuvEvents);
  libuv_ = fd;
}

void EpollSet::add_alarm(int fd) {
  add_special(epoll_, fd, kAlarmEvents);
  alarm_ = fd;
}

void EpollSet::add(EpollPoller* poller) {
  const int watched = poller->watched_ = claims_.take(poller->fd());
  const auto index = static_cast<size_t>(watched);
  EpollPoller* before = nullptr;
  try {
    if (index >= pollers_.size()) pollers_.resize(index + 64);
    before = std::exchange(pollers_[index], poller);
    if (const int error = set(poller)) system::fail(error, "epoll_ctl");
  } catch (...) {
    if (index < pollers_.size()) pollers_[index] = before;
    claims_.let_go(poller->fd(), watched);
    throw;
  }
  ++open_;
}

void EpollSet::remove(EpollPoller* poller) {
  const int watched = poller->watched_;
  // An abandoned loop is a forked child's, whose set is its parent's as well.
  const bool own = poller->loop_.try_own();
  // Unless its descriptor has been closed without a word, and the number serves another.
  if (EpollPoller*& entry = pollers_[static_cast<size_t>(watched)]; entry == poller) {
    if (own && poller->asked_) ask(EPOLL_CTL_DEL, watched, 0, 0);
    entry = nullptr;
  }
  claims_.let_go(poller->fd(), watched);
  --open_;
}

void EpollSet::note(EpollPoller* poller) {
  if (poller->noted_) return;
  poller->noted_ = true;
  poller->next_noted_ = nullptr;
  *noted_end_ = poller;
  noted_end_ = &poller->next_noted_;
}

EpollPoller* EpollSet::take_noted() {
  noted_end_ = &noted_;
  return std::exchange(noted_, nullptr);
}

uint32_t EpollSet::next_number() {
  if (++last_number_ == 0) ++last_number_;
  return last_number_;
}

// Asks for what the Poller wants. 0 or the error.
int EpollSet::set(EpollPoller* poller) {
  const int fd = poller->watched_;
  const uint32_t wanted = poller->wanted();
  const uint32_t number = next_number();
  int error = 0;
  if (pollers_[static_cast<size_t>(fd)] != poller) {
    error = EBADF;
  } else if (!wanted) {
    error = ask(EPOLL_CTL_DEL, fd, 0, 0);
    // The program has closed it, or has put another file under its number.
    if (error == EBADF || error == ENOENT || error == EPERM) error = 0;
  } else {
    // What epoll and we believe to be in the set differs when another file has got the number.
    const int operation = poller->asked_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    error = ask(operation, fd, wanted, number);
    // Not for nobody, since it may be anybody's file.
    if (error == ENOENT && poller->interest()) error = ask(EPOLL_CTL_ADD, fd, wanted, number);
    if (error == EEXIST) error = ask(EPOLL_CTL_MOD, fd, wanted, number);
  }
  if (is_short_of_memory(error)) return error;
  // After another error there is nothing under this descriptor that could be watched; what the set still reports of the
  // file that was there is of an older registration.
  poller->asked_ = error ? 0 : wanted;
  poller->number_ = number;
  poller->armed_ = !error;
  return error;
}

bool EpollSet::apply() {
  if (events_.size() < open_ + 2) events_.resize(2 * (open_ + 2));
  EpollPoller* next = take_noted();
  while (EpollPoller* poller = next) {
    next = poller->next_noted_;
    poller->noted_ = false;
    if (poller->closing()) {
      poller->release();
    } else if (!poller->is_set()) {
      // Of what the program has closed itself, or has replaced by a file that is always ready, nothing will be
      // reported.
      if (is_short_of_memory(set(poller))) note(poller);
    }
  }
  return !noted_;
}

void EpollSet::wait(int timeout) {
  found_ = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout);
  if (found_ < 0) found_ = -errno;
}

int EpollSet::take_found() {
  const int found = std::exchange(found_, 0);
  if (found < 0 && found != -EINTR) system::fail(-found, "epoll_wait");
  return found;
}

// -1, or the descriptor that is not a Poller's.
int EpollSet::report(const epoll_event& event) {
  const auto number = static_cast<uint32_t>(event.data.u64 >> 32);
  const auto fd = static_cast<size_t>(event.data.u64 & 0xFFFFFFFF);
  if (number == 0) return static_cast<int>(fd);
  if (fd < pollers_.size() && pollers_[fd] && pollers_[fd]->number_ == number) {
    pollers_[fd]->reported(event.events);
  } else {
    ++stale_;
  }
  return -1;
}

void EpollSet::drop_stale() {
  stale_ = 0;
  try {
    renew(libuv_);
  } catch (const std::system_error&) {
    // Nothing left to make one of: it is tried again after as many events.
  }
}

void EpollSet::renew(int libuv) {
  const int fresh = make_set();
  try {
    add_special(fresh, alarm_, kAlarmEvents);
    add_special(fresh, libuv, kLibuvEvents);
  } catch (...) {
    ::close(fresh);
    throw;
  }
  system::replace_descriptor(epoll_, fresh);
  libuv_ = libuv;
  // libuv's may have the number of a descriptor that was closed without a word.
  if (static_cast<size_t>(libuv) < pollers_.size()) pollers_[static_cast<size_t>(libuv)] = nullptr;
  for (EpollPoller* poller : pollers_) {
    if (!poller) continue;
    poller->asked_ = 0;
    if (poller->interest()) note(poller);
  }
}

void EpollSet::close_all() {
  for (size_t i = 0; i < pollers_.size(); ++i) {
    if (pollers_[i]) pollers_[i]->close();
  }
  EpollPoller* next = take_noted();
  while (EpollPoller* poller = next) {
    next = poller->next_noted_;
    poller->noted_ = false;
    if (poller->closing()) poller->release();
  }
}

}  // namespace mainspring::uv
