#include "loop/waits.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include "loop/loop.hpp"
#include "uv/descriptor.hpp"

namespace mainspring {

namespace {

constexpr int kEventsAtOnce = 128;

// A descriptor that reports so often in a row while nobody waits for it leaves the set.
constexpr uint32_t kIdleEvents = 4;

// After so many events of files that cannot be taken out of the set any more, it is made anew.
constexpr int kStaleEvents = 16;

constexpr uint32_t kWakesReader = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr uint32_t kWakesWriter = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr uint32_t kInterest[2] = {EPOLLIN | EPOLLRDHUP, EPOLLOUT};

// Whether the weak reference is to this object, which is alive.
bool refers_to(PyObject* reference, PyObject* object) {
  if (!reference) return false;
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* found = nullptr;
  if (PyWeakref_GetRef(reference, &found) <= 0) return false;
  const Ref owned = Ref::steal(found);
  return found == object;
#else
  return PyWeakref_GetObject(reference) == object;
#endif
}

[[noreturn]] void fail() { throw std::system_error(errno, std::system_category()); }

}  // namespace

void Waits::start(Wait* wait, int fd, PyObject* socket, Direction direction) {
  loop_.uv().own();
  if (epoll_ < 0) open();
  // A reader or writer of the program's is replaced; dropping it may run Python.
  loop_.descriptors().remove(fd, direction);
  const auto index = static_cast<size_t>(fd);
  if (index >= entries_.size()) entries_.resize(index + 64);
  const bool same = entries_[index].events && refers_to(entries_[index].socket, socket);
  if (!same) {
    PyObject* reference = PyWeakref_NewRef(socket, nullptr);
    if (!reference) {
      PyErr_Clear();
      throw std::bad_alloc();
    }
    Py_XSETREF(entries_[index].socket, reference);
  }
  // What stays in the set from earlier operations is enough for reading: every arrival since is an edge. Whether there
  // is room for writing is asked anew, since a send() that took a part does not always cause one.
  Entry& entry = entries_[index];
  if (!same || direction == WatchedDescriptors::kWriter || !(entry.events & EPOLLIN)) {
    uint32_t events = kInterest[direction] | (same ? entry.events & kInterest[WatchedDescriptors::kReader] : 0);
    for (int i = 0; i < 2; ++i) {
      if (entry.waits[i]) events |= kInterest[i];
    }
    watch(fd, events);
  }
  entry.idle = 0;
  entry.ended[direction] = 0;
  Wait* replaced = std::exchange(entry.waits[direction], wait);
  wait->fd = fd;
  wait->direction = direction;
  wait->waiting = true;
  Py_INCREF(wait->object);
  loop_.expect_events();
  if (replaced) {
    replaced->waiting = false;
    Py_DECREF(replaced->object);
  }
}

void Waits::stop(Wait* wait) {
  if (!wait->waiting) return;
  wait->waiting = false;
  entries_[static_cast<size_t>(wait->fd)].waits[wait->direction] = nullptr;
  Py_DECREF(wait->object);
}

void Waits::end(Wait* wait) {
  if (!wait->waiting) return;
  entries_[static_cast<size_t>(wait->fd)].ended[wait->direction] = loop_.turn();
  stop(wait);
}

void Waits::attempt(int fd, Direction direction) {
  const auto index = static_cast<size_t>(fd);
  Wait* wait = index < entries_.size() ? entries_[index].waits[direction] : nullptr;
  if (!wait) return;
  const Ref alive = Ref::borrow(wait->object);
  wait->attempt(wait);
}

bool Waits::displace(int fd, Direction direction) {
  const auto index = static_cast<size_t>(fd);
  if (index >= entries_.size()) return false;
  Entry& entry = entries_[index];
  const bool ended = std::exchange(entry.ended[direction], 0) == loop_.turn();
  if (!entry.waits[direction]) return ended;
  stop(entry.waits[direction]);
  return true;
}

void Waits::forget(int fd) {
  if (static_cast<size_t>(fd) >= entries_.size()) return;
  unwatch(fd);
  displace(fd, WatchedDescriptors::kReader);
  displace(fd, WatchedDescriptors::kWriter);
}

void Waits::clear() {
  close();
  auto entries = std::exchange(entries_, {});
  for (Entry& entry : entries) {
    for (Wait* wait : entry.waits) {
      if (wait) wait->waiting = false;
    }
  }
  for (Entry& entry : entries) {
    for (Wait* wait : entry.waits) {
      if (wait) Py_DECREF(wait->object);
    }
    Py_XDECREF(entry.socket);
  }
}

// --- the set ---------------------------------------------------------------------------------------------------------

void Waits::open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) fail();
  try {
    poller_ = uv::Poller::open(loop_.uv(), epoll_, this, serve);
  } catch (...) {
    ::close(std::exchange(epoll_, -1));
    throw;
  }
  poller_->watch(uv::Poller::kReadable);
}

void Waits::close() {
  if (epoll_ < 0) return;
  std::exchange(poller_, nullptr)->close();
  ::close(std::exchange(epoll_, -1));
}

void Waits::watch(int fd, uint32_t events) {
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
  uv::replace_descriptor(epoll_, fresh);
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
      watch(static_cast<int>(i), events);
    } catch (const std::system_error&) {
      // Closed by the program: nothing will ever be reported of it.
    }
  }
}

// --- events ----------------------------------------------------------------------------------------------------------

int Waits::serve(void* owner, int) { return static_cast<Waits*>(owner)->take_events(); }

int Waits::take_events() {
  epoll_event events[kEventsAtOnce];
  const int count = epoll_wait(epoll_, events, kEventsAtOnce, 0);
  // The set was reported as one descriptor itself.
  if (count > 1) loop_.counters.io_events += static_cast<uint64_t>(count) - 1;
  for (int i = 0; i < count; ++i) {
    const uint64_t data = events[i].data.u64;
    deliver(static_cast<int>(data & 0xFFFFFFFF), static_cast<uint32_t>(data >> 32), events[i].events);
  }
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
      watch(fd, entry.events);
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
