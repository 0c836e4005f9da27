// Ends the wait of an EventLoop, which owns it, at a moment given in nanoseconds of CLOCK_MONOTONIC.
//
// A system call waits in whole milliseconds. So a far deadline is first approached by such a wait, and the last
// milliseconds are the NearAlarm's. An alarm may ring early (the loop then looks again), and never later than its
// NearAlarm.
#pragma once

#include <uv.h>

#include <cstdint>

#include "system/near_alarm.hpp"

namespace mainspring::uv {

class Alarm {
 public:
#if MAINSPRING_PORTABLE
  explicit Alarm(uv_loop_t* loop);
#else
  // Throws std::system_error.
  Alarm() = default;
#endif
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Rings at `deadline` or up to two milliseconds before it, or before a hundredth of a long wait. `now` is the same
  // clock's present.
  void set(int64_t deadline, int64_t now);

  // In a forked child: without what it shares. Throws std::system_error.
  void renew() { near_.renew(); }

  // Does not ring any more.
  void clear();

#if !MAINSPRING_PORTABLE
  // For the next wait, in milliseconds; -1 without a limit.
  int timeout() const { return timeout_; }

  // Becomes readable when it rings.
  int descriptor() const { return near_.descriptor(); }
  void rang() { near_.rang(); }
#endif

 private:
  static constexpr int64_t kNone = system::NearAlarm::kNone;
  static constexpr int64_t kMillisecond = 1'000'000;

  // Below this distance the NearAlarm rings.
  static constexpr int64_t kNear = 3 * kMillisecond;

  // Clocks and system calls round by up to a millisecond each, so the approach ends that much before the deadline.
  static constexpr int64_t kMargin = 2 * kMillisecond;

  // The longest single approach; the loop then looks again.
  static constexpr int64_t kFarthest = 24 * 3600 * 1'000 * kMillisecond;

  void set_near(int64_t deadline, int64_t now) {
    if (deadline != near_.at()) near_.set(deadline, now);
  }
  void clear_near() {
    if (near_.at() != kNone) near_.clear();
  }

  system::NearAlarm near_;
#if MAINSPRING_PORTABLE
  static void on_approach(uv_timer_t* timer);

  uv_timer_t approach_;
  int64_t approach_at_ = kNone;
#else
  int timeout_ = -1;
#endif
};

}  // namespace mainspring::uv
