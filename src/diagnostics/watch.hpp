// Watch: the native half of a watchdog: looks at a loop's heartbeat in a thread of its own and says when the loop is
// blocked, and when no longer.
//
// The thread is Python's (threading.Thread), so that it belongs to the right interpreter and is waited for when that
// ends, but it spends its time in wait(), without the GIL. It takes the GIL only when there is something to say. A
// callback that keeps the GIL can therefore be timed, but not be shown before it lets go.
//
// Owned by its Python object (bind_diagnostics.cpp), which the watchdog and its thread hold. Holds no Loop.
#pragma once

#include <memory>

#include "diagnostics/block_detector.hpp"
#include "diagnostics/interval.hpp"
#include "loop/heartbeat.hpp"

namespace mainspring {

class Watch {
 public:
  // `threshold` in nanoseconds. Throws std::bad_alloc.
  Watch(Loop& loop, int64_t threshold);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  // Waits until there is something to say, or until stop(). A new reference: None when it has been stopped, else
  //   (seconds, False, loop, what, frame) of a block that goes on, `frame` being where the loop's thread is, or
  //   (seconds, True, None, callback, None) of one that is over.
  // `what` is the Handle or the transport that is being served, a descriptor's number, or None. nullptr with an
  // exception set.
  PyObject* wait();

  // Whether the block that wait() said last still goes on.
  bool goes_on() const { return detector_.blocked() && heartbeat_->beat() == detector_.beat(); }

  // From other threads: ends wait().
  void stop() { interval_.end(); }

 private:
  BlockDetector::Found look();
  PyObject* say_blocked();
  PyObject* say_over(int64_t ended_at);

  std::shared_ptr<Heartbeat> heartbeat_;
  BlockDetector detector_;
  Interval interval_;
  bool finished_ = false;
};

}  // namespace mainspring
