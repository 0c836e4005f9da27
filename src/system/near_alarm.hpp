// Ends the loop's wait at a moment that is a few milliseconds away: Linux's timer descriptor, which the kernel keeps to
// a few microseconds, elsewhere libuv's timer, which may ring a millisecond late and which its loop closes before it
// dies.
#pragma once

#include <uv.h>

#include <cstdint>
#include <type_traits>

#include "system/portable.hpp"

#if !MAINSPRING_PORTABLE
#include <sys/timerfd.h>

#include "system/descriptors.hpp"
#endif

namespace mainspring::system {

#if MAINSPRING_PORTABLE

class NearAlarm {
 public:
  static constexpr int64_t kNone = INT64_MAX;

  explicit NearAlarm(uv_loop_t* loop) {
    uv_timer_init(loop, &timer_);
    timer_.data = nullptr;
  }
  NearAlarm(const NearAlarm&) = delete;
  NearAlarm& operator=(const NearAlarm&) = delete;

  // When it rings; kNone when it does not.
  int64_t at() const { return at_; }

  void set(int64_t deadline, int64_t now) {
    at_ = deadline;
    const int64_t distance = deadline > now ? deadline - now : 0;
    uv_update_time(timer_.loop);
    uv_timer_start(&timer_, on_timer, static_cast<uint64_t>((distance + kMillisecond - 1) / kMillisecond), 0);
  }

  void clear() {
    uv_timer_stop(&timer_);
    at_ = kNone;
  }

  // In a forked child: nothing is shared with the parent.
  void renew() {}

 private:
  static constexpr int64_t kMillisecond = 1'000'000;

  static void on_timer(uv_timer_t* timer) {
    static_assert(std::is_standard_layout_v<NearAlarm>, "the handle is its first member");
    reinterpret_cast<NearAlarm*>(timer)->at_ = kNone;
    // Before libuv 1.45, UV_RUN_ONCE runs due timers first and then waits without a limit; a stopped loop does not
    // wait.
    uv_stop(timer->loop);
  }

  uv_timer_t timer_;
  int64_t at_ = kNone;
};

#else

class NearAlarm {
 public:
  static constexpr int64_t kNone = INT64_MAX;

  // Throws std::system_error.
  NearAlarm() : descriptor_(make_descriptor()) {}
  NearAlarm(const NearAlarm&) = delete;
  NearAlarm& operator=(const NearAlarm&) = delete;
  ~NearAlarm() { ::close(descriptor_); }

  // When it rings; kNone when it does not.
  int64_t at() const { return at_; }

  void set(int64_t deadline, int64_t) {
    itimerspec spec{};
    if (deadline != kNone) {
      spec.it_value.tv_sec = deadline / kSecond;
      spec.it_value.tv_nsec = deadline % kSecond;
      // Zero would disarm it.
      if (deadline <= 0) spec.it_value.tv_nsec = 1;
    }
    timerfd_settime(descriptor_, TFD_TIMER_ABSTIME, &spec, nullptr);
    at_ = deadline;
  }

  void clear() { set(kNone, 0); }

  // What becomes readable when it rings. Nobody has to read it: to set it again makes it unreadable.
  int descriptor() const { return descriptor_; }
  void rang() { at_ = kNone; }

  // In a forked child: a timer descriptor of its own, with the number of the one that it shares. Throws
  // std::system_error.
  void renew() {
    replace_descriptor(descriptor_, make_descriptor());
    at_ = kNone;
  }

 private:
  static constexpr int64_t kSecond = 1'000'000'000;

  static int make_descriptor() {
    const int descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (descriptor < 0) fail(errno, "timerfd_create");
    return descriptor;
  }

  int descriptor_;
  int64_t at_ = kNone;
};

#endif

}  // namespace mainspring::system
