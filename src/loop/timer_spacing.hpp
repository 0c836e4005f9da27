// TimerSpacing: when a loop with nothing else to do wakes for its timers.
//
// Timers that are due shortly after the last ones that fired wait a little, so that a thousand of them spread over a
// few milliseconds do not cost a thousand wake-ups. As long as many fire at once the time grows, up to the default
// loop's resolution, with which they are still less late than on that.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mainspring {

class TimerSpacing {
 public:
  // When to wake for the timer that is due at `deadline`. While timers are crowded not even one that is due already is
  // worth a turn of its own. Everything in nanoseconds of CLOCK_MONOTONIC.
  int64_t wake_at(int64_t deadline) const {
    return crowded() && !hurried_ ? std::max(deadline, fired_at_ + spacing_) : deadline;
  }

  // The same for a loop that is about to sleep.
  int64_t sleep_until(int64_t deadline) const { return std::max(deadline, fired_at_ + spacing_); }

  bool crowded() const { return spacing_ > kShortest; }

  // A timer was set that was due when it was set, as call_later(0) does: it is served in the next turn.
  void hurry() { hurried_ = true; }

  // `count` timers have fired.
  void fired(int count, int64_t now) {
    const int64_t passed = now - fired_at_;
    fired_at_ = now;
    hurried_ = false;
    if (count >= kMany && passed < 2 * spacing_) {
      spacing_ = std::min(kGrowth * spacing_, kLongest);
    } else if (passed >= spacing_) {
      spacing_ = kShortest;
    }
  }

 private:
  static constexpr int64_t kShortest = 50'000;
  static constexpr int64_t kLongest = 1'000'000;
  static constexpr int64_t kGrowth = 4;
  static constexpr int kMany = 4;

  int64_t fired_at_ = 0;
  int64_t spacing_ = kShortest;
  bool hurried_ = false;
};

}  // namespace mainspring
