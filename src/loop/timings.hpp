// What a Loop measures when it has been told to: durations, for which a clock has to be read per callback and per poll.
// Knows neither Python nor libuv.
#pragma once

#include <cstdint>

#include "loop/clock.hpp"
#include "loop/histogram.hpp"

namespace mainspring {

struct Timings {
  Histogram lag;             // from the end of one look for events to the beginning of the next
  Histogram callback_times;  // of each item of the ready queue
  Histogram executor_waits;  // from run_in_executor() to the beginning of the call in a thread
  int64_t kernel_time = 0;   // ns spent waiting in the kernel
  int64_t gil_time = 0;      // ns between the end of such a wait and having the GIL again

  void begin_looking(int64_t now = monotonic_ns()) {
    if (looked_at_) lag.add(now - looked_at_);
  }
  void end_looking(int64_t now = monotonic_ns()) { looked_at_ = now; }

  // The same for a look that waits without the GIL; `woken_at` is when the kernel let go.
  void begin_waiting() {
    waits_since_ = monotonic_ns();
    begin_looking(waits_since_);
  }
  void end_waiting(int64_t woken_at) {
    kernel_time += woken_at - waits_since_;
    gil_time += monotonic_ns() - woken_at;
    end_looking(woken_at);
  }

  // The loop does not run any more: what follows is nobody's lag.
  void stop_looking() {
    begin_looking();
    forget_look();
  }
  void forget_look() { looked_at_ = 0; }

 private:
  int64_t looked_at_ = 0;
  int64_t waits_since_ = 0;
};

}  // namespace mainspring
