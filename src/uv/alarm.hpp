// Ends the wait of an EventLoop, which owns it, at a moment given in nanoseconds of CLOCK_MONOTONIC.
//
// libuv waits in whole milliseconds. So a far deadline is first approached with a uv_timer_t, which costs no system
// call, and the last milliseconds are the NearAlarm's. An alarm may ring early (the loop then looks again), and never
// later than its NearAlarm.
#pragma once

#include <uv.h>

#include <cstdint>

#include "system/near_alarm.hpp"

namespace mainspring::uv {

class Alarm {
 public:
  explicit Alarm(uv_loop_t* loop);
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Rings at `deadline` or up to two milliseconds before it. `now` is the same clock's present.
  void set(int64_t deadline, int64_t now);

  // In a forked child: without what it shares. Throws std::system_error.
  void renew() { near_.renew(); }

  // Does not ring any more.
  void clear();

 private:
  static constexpr int64_t kNone = system::NearAlarm::kNone;

  static void on_approach(uv_timer_t* timer);

  system::NearAlarm near_;
  uv_timer_t approach_;
  int64_t approach_at_ = kNone;
};

}  // namespace mainspring::uv
