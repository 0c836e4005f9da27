// The water marks of a transport that writes, and whether its protocol has been paused (asyncio documentation, "Flow
// Control Callbacks").
#pragma once

#include <cstddef>

#include "loop/transport.hpp"

namespace mainspring {

class FlowControl {
 public:
  size_t high() const { return high_; }
  bool paused() const { return paused_; }

  // Calls pause_writing() when more than the high water mark is queued. -1 with an exception set only for what leaves
  // the loop.
  int maybe_pause(Transport* transport, size_t queued) {
    if (paused_ || queued <= high_ || !transport->protocol_) return 0;
    paused_ = true;
    return call(transport, transport->names().pause_writing, "protocol.pause_writing() failed");
  }

  // Calls resume_writing() when no more than the low water mark is left.
  int maybe_resume(Transport* transport, size_t queued) {
    if (!paused_ || queued > low_ || !transport->protocol_) return 0;
    paused_ = false;
    return call(transport, transport->names().resume_writing, "protocol.resume_writing() failed");
  }

  // set_write_buffer_limits(high=None, low=None). False with an exception set.
  bool set_limits(Arguments args, Py_ssize_t count, PyObject* keywords) {
    PyObject* high = Py_None;
    PyObject* low = Py_None;
    if (!parse_two("set_write_buffer_limits", "high", "low", args, count, keywords, &high, &low)) return false;
    Py_ssize_t low_mark = low == Py_None ? 0 : PyNumber_AsSsize_t(low, PyExc_OverflowError);
    if (low_mark == -1 && PyErr_Occurred()) return false;
    Py_ssize_t high_mark = static_cast<Py_ssize_t>(kHigh);
    if (high != Py_None) {
      high_mark = PyNumber_AsSsize_t(high, PyExc_OverflowError);
      if (high_mark == -1 && PyErr_Occurred()) return false;
    } else if (low != Py_None) {
      high_mark = 4 * low_mark;
    }
    // Rounded down, as // does.
    if (low == Py_None) low_mark = (high_mark < 0 ? high_mark - 3 : high_mark) / 4;
    if (!(high_mark >= low_mark && low_mark >= 0)) {
      PyErr_Format(PyExc_ValueError, "high (%zd) must be >= low (%zd) must be >= 0", high_mark, low_mark);
      return false;
    }
    high_ = static_cast<size_t>(high_mark);
    low_ = static_cast<size_t>(low_mark);
    return true;
  }

  // get_write_buffer_limits(): (low, high).
  PyObject* limits() const {
    return Py_BuildValue("nn", static_cast<Py_ssize_t>(low_), static_cast<Py_ssize_t>(high_));
  }

 private:
  static constexpr size_t kHigh = 64 * 1024;

  static int call(Transport* transport, PyObject* method, const char* failed) {
    const Ref protocol = Ref::borrow(transport->protocol_);
    const Ref result = Ref::steal(PyObject_CallMethodNoArgs(protocol.get(), method));
    return result ? 0 : transport->loop_->report(failed, transport->object(), protocol.get());
  }

  size_t high_ = kHigh;
  size_t low_ = kHigh / 4;
  bool paused_ = false;
};

}  // namespace mainspring
