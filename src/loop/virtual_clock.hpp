// The clock of a loop in virtual time: it stands still while callbacks run, and the loop moves it from timer to timer.
//
// Owned by its Python object. Counts whole nanoseconds, so that ten sleeps of 0.1 s end at 1.0 exactly. Touched with
// the GIL held only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "loop/clock.hpp"

namespace mainspring {

class Loop;

class VirtualClock {
 public:
  // In nanoseconds: the first moment, and how long in real time timers wait for work outside and for answers of peers.
  VirtualClock(int64_t start, int64_t patience, int64_t grace) : now_(start), patience_(patience), grace_(grace) {}
  VirtualClock(const VirtualClock&) = delete;
  VirtualClock& operator=(const VirtualClock&) = delete;

  int64_t now() const { return now_; }
  int64_t patience() const { return patience_; }
  int64_t grace() const { return grace_; }

  // Never goes back.
  void move_to(int64_t moment) { now_ = std::max(now_, moment); }

  // The moment at which a timer for `when` fires: the nearest nanosecond, which comes after the present if `when` does.
  int64_t deadline_of(double when) const {
    // From here on doubles are further apart than nanoseconds.
    if (!(std::abs(when) < kExact)) return first_ns_at(when);
    const int64_t nearest = std::llround(when * 1e9);
    return nearest <= now_ && when > seconds(now_) ? now_ + 1 : nearest;
  }

  // The loop that this clock drives while that runs.
  Loop* loop = nullptr;

 private:
  static constexpr double kExact = 1 << 22;  // seconds

  int64_t now_;
  int64_t patience_;
  int64_t grace_;
};

}  // namespace mainspring
