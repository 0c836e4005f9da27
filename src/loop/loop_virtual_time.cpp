// The loop in virtual time: when nothing is ready, it moves its clock to the next timer instead of waiting for it.
#include <algorithm>
#include <memory>
#include <vector>

#include "loop/clock.hpp"
#include "loop/inner_connections.hpp"
#include "loop/loop.hpp"

namespace mainspring {

bool Loop::use_clock(PyObject* object, VirtualClock* clock) {
  if (virtual_time_ || !timers_.empty()) {
    PyErr_SetString(PyExc_RuntimeError, "the clock of a loop can only be set once, before it has timers");
    return false;
  }
  virtual_time_ = std::make_unique<VirtualTime>(object, clock);
  overrides_time = true;
  return true;
}

bool Loop::begin_driving() {
  VirtualClock& clock = virtual_time_->clock;
  if (clock.loop) {
    PyErr_SetString(PyExc_RuntimeError, "this VirtualClock drives another loop that is running");
    return false;
  }
  clock.loop = this;
  return true;
}

// Every turn polls, so that the order of callbacks does not depend on how long they take in real time.
bool Loop::poll_in_virtual_time() {
  VirtualTime& time = *virtual_time_;
  wake_owed();
  look();
  if (policy_.eager()) {
    time.expects_answers = true;
    policy_.expect_nothing();
  }
  const int64_t deadline = ready_.empty() ? timers_.exact_deadline() : TimerWheel::kNever;
  if (!ready_.empty() || stopping || deadline <= time.clock.now()) {
    time.quiet_since = 0;
    return true;
  }
  if (deadline == TimerWheel::kNever) return wait(deadline, monotonic_ns());

  int64_t limit = 0;
  if (time.outstanding() > 0) {
    limit = time.clock.patience();
  } else if (time.expects_answers && !all_are_inner(peers())) {
    limit = time.clock.grace();
  } else if (time.expects_answers) {
    // What was on its way when the loop polled has arrived since, if it is not on its way any more.
    look();
    if (!ready_.empty()) return true;
  }
  if (limit > 0) {
    const int64_t now = monotonic_ns();
    if (time.quiet_since == 0) time.quiet_since = now;
    if (now - time.quiet_since < limit) return wait_for_outside(limit, now);
    time.quiet_since = 0;
    if (time.outstanding() > 0) return outlast_work();
  }
  time.expects_answers = false;
  time.clock.move_to(deadline);
  return true;
}

bool Loop::wait_for_outside(int64_t limit, int64_t now) {
  int64_t end;
  if (__builtin_add_overflow(virtual_time_->quiet_since, limit, &end)) end = TimerWheel::kNever;
  if (!wait(end, now)) return false;
  if (ready_.empty()) {
    // The alarm rang, or almost; to have waited is no event.
    policy_.expect_nothing();
  } else {
    virtual_time_->quiet_since = 0;
  }
  return true;
}

bool Loop::outlast_work() {
  const auto count = static_cast<unsigned long long>(virtual_time_->outstanding());
  const double patience = seconds(virtual_time_->clock.patience());
  virtual_time_->outlast_work();
  const Ref real = Ref::steal(PyFloat_FromDouble(patience));
  if (!real) return false;
  const Ref result = Ref::steal(PyObject_CallMethod(self_, "_report_outlasted", "KO", count, real.get()));
  return static_cast<bool>(result);
}

std::vector<int> Loop::peers() const {
  std::vector<int> descriptors;
  for (const IoObject* io = active_; io; io = io->next) {
    if (io->poller) descriptors.push_back(io->poller->fd());
  }
  descriptors_.visit_numbers([&](int descriptor) { descriptors.push_back(descriptor); });
  waits_.visit_numbers([&](int descriptor) { descriptors.push_back(descriptor); });
  process_exits_.visit_numbers([&](int descriptor) { descriptors.push_back(descriptor); });
  // One that the program reads may be waited for as well.
  std::sort(descriptors.begin(), descriptors.end());
  descriptors.erase(std::unique(descriptors.begin(), descriptors.end()), descriptors.end());
  return descriptors;
}

}  // namespace mainspring
