// Ends the wait of an EventLoop, which owns it, at a moment given in nanoseconds of CLOCK_MONOTONIC.
//
// libuv waits in whole milliseconds. So a far deadline is first approached with a uv_timer_t, which costs no system
// call, and the last milliseconds are waited for on a timer descriptor, which the kernel keeps to a few microseconds.
// An alarm may ring early (the loop then looks again), never late.
#pragma once

#include <uv.h>

#include <cstdint>

namespace mainspring::uv {

class Alarm {
 public:
  explicit Alarm(uv_loop_t* loop);
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm();  // The loop has closed its handles by then.

  // Rings at `deadline` or up to two milliseconds before it. `now` is the same clock's present.
  void set(int64_t deadline, int64_t now);

  // In a forked child: a timer descriptor of its own, with the number of the one that it shares. Throws
  // std::system_error.
  void renew();

  // Does not ring any more.
  void clear();

 private:
  static constexpr int64_t kNone = INT64_MAX;

  void set_descriptor(int64_t deadline);
  static void on_approach(uv_timer_t* timer);
  static void on_descriptor(uv_poll_t* poll, int status, int events);

  uv_timer_t approach_;
  uv_poll_t poll_;
  int descriptor_;
  int64_t approach_at_ = kNone;
  int64_t descriptor_at_ = kNone;
};

}  // namespace mainspring::uv
