#include "loop/waits.hpp"

#include <new>
#include <utility>

#include "loop/loop.hpp"

namespace mainspring {

namespace {

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

}  // namespace

void Waits::start(Wait* wait, int fd, PyObject* socket, Direction direction) {
  loop_.uv().own();
  // A reader or writer of the program's is replaced; dropping it may run Python.
  loop_.descriptors().remove(fd, direction);
  const auto index = static_cast<size_t>(fd);
  if (index >= entries_.size()) entries_.resize(index + 64);
  const bool same = is_watched(entries_[index]) && refers_to(entries_[index].socket, socket);
  if (!same) {
    PyObject* reference = PyWeakref_NewRef(socket, nullptr);
    if (!reference) {
      PyErr_Clear();
      throw std::bad_alloc();
    }
    Py_XSETREF(entries_[index].socket, reference);
  }
  watch(fd, direction, same);
  Entry& entry = entries_[index];
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
  unwatch(wait->fd, wait->direction);
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
  for (size_t fd = 0; fd < entries_.size(); ++fd) unwatch(static_cast<int>(fd));
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

}  // namespace mainspring
