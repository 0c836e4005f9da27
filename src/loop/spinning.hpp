// Spinning: a thread that is about to sleep first looks for a moment whether it need not.
//
// To fall asleep and to be woken by another processor takes both of them some tens of microseconds, far more than most
// calls in threads take. Spinning for as long costs at most twice what sleeping would have, and it is only done where
// it pays: after a spin in vain the next two sleeps come without one, after another the next six, then fourteen, up to
// kMostSkipped, so that no alternation of short and long waits keeps step with it. What takes long, or happens rarely,
// costs next to nothing. Knows no Python.
#pragma once

#include <algorithm>
#include <cstdint>

#include "loop/cycle_clock.hpp"

namespace mainspring {

// In cycles(): a little longer than it takes to be woken, so that two threads that wait for each other both come to it.
constexpr uint64_t kSpinTime = kCyclesInTensOfMicroseconds;

// A clock that went back ends the spin.
class SpinClock {
 public:
  uint64_t elapsed() const { return static_cast<uint64_t>(cycles()) - since_; }

 private:
  uint64_t since_ = static_cast<uint64_t>(cycles());
};

// Between two looks: leaves the processor's units to its other thread.
inline void relax_processor() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

class SpinPolicy {
 public:
  static constexpr int kMostSkipped = 254;

  // Before each sleep.
  bool should_spin() {
    if (left_ == 0) return true;
    --left_;
    return false;
  }

  // After a spin: whether what it waited for came meanwhile.
  void spun(bool in_time) {
    skipped_ = in_time ? 0 : std::min(2 * skipped_ + 2, kMostSkipped);
    left_ = skipped_;
  }

 private:
  int skipped_ = 0;
  int left_ = 0;
};

}  // namespace mainspring
