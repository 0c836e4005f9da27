// What a loop in virtual time knows about the outside world, for which timers wait in real time.
//
// Owned by Loop, which has one only if it was made with a VirtualClock.
#pragma once

#include <cstdint>

#include "loop/virtual_clock.hpp"
#include "python/ref.hpp"

namespace mainspring {

class VirtualTime {
 public:
  VirtualTime(PyObject* object, VirtualClock* clock) : clock(*clock), object_(Ref::borrow(object)) {}

  PyObject* object() const { return object_.get(); }

  // Work that only the outside can finish: a call in an executor, a child process. Each gets a number, with which its
  // end is told once.
  uint64_t begin_work() {
    ++outstanding_;
    return ++last_number_;
  }
  void end_work(uint64_t number) {
    if (number > outlasted_) --outstanding_;
  }

  // How much of it the timers wait for.
  uint64_t outstanding() const { return outstanding_; }

  // What has begun by now is not waited for any more: it runs for good, or waits for this loop.
  void outlast_work() {
    outlasted_ = last_number_;
    outstanding_ = 0;
  }

  VirtualClock& clock;

  // Since the clock moved last, something was sent or received, or is newly watched, so an answer may be on its way.
  bool expects_answers = true;

  // The moment of the kernel's clock from which on nothing has happened, while the timers wait; 0 when they do not.
  int64_t quiet_since = 0;

 private:
  Ref object_;
  uint64_t last_number_ = 0;
  uint64_t outlasted_ = 0;
  uint64_t outstanding_ = 0;
};

}  // namespace mainspring
