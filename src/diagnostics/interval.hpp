// Interval: sleeps of a thread that another thread can end for good. Knows no Python.
//
// Nothing is ever locked, so that a forked child, in which the sleeping thread does not exist, can use and free it.
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>

#include "system/futex.hpp"

namespace mainspring {

class Interval {
 public:
  // Sleeps so many nanoseconds, or less; not at all once it has been ended.
  void sleep(int64_t ns) {
    const timespec limit{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
    system::futex_wait(&ended_, 0, &limit);
  }

  bool ended() const { return ended_.load(std::memory_order_acquire); }

  void end() {
    ended_.store(1, std::memory_order_release);
    system::futex_wake(&ended_);
  }

 private:
  system::Futex ended_ = 0;
};

}  // namespace mainspring
