// Interval: sleeps of a thread that another thread can end for good. Knows no Python. Linux's futex.
//
// Nothing is ever locked, so that a forked child, in which the sleeping thread does not exist, can use and free it.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace mainspring {

class Interval {
 public:
  // Sleeps so many nanoseconds, or less; not at all once it has been ended.
  void sleep(int64_t ns) {
    const timespec limit{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
    call(FUTEX_WAIT_PRIVATE, 0, &limit);
  }

  bool ended() const { return ended_.load(std::memory_order_acquire); }

  void end() {
    ended_.store(1, std::memory_order_release);
    call(FUTEX_WAKE_PRIVATE, 1, nullptr);
  }

 private:
  void call(int operation, uint32_t value, const timespec* limit) {
    syscall(SYS_futex, static_cast<void*>(&ended_), operation, value, limit, nullptr, 0);
  }

  std::atomic<uint32_t> ended_ = 0;
  static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
};

}  // namespace mainspring
