// A thread that sleeps until it is woken, and that can be woken in two steps. Knows no Python.
//
// Who wakes a thread while holding what the thread needs next (the GIL) only makes it run into that and sleep again. So
// wake_later() merely notes that the thread has been woken; the system call, finish(), follows when the waker has let
// go. Should the waker be held up before it gets there, the thread notices by itself: it begins with a nap of 5 ms,
// which is also how long threads wait before they ask for the GIL. After that it sleeps soundly, costs nothing, and
// wake_later() wakes it at once.
//
// Belongs to the sleeping thread, for one sleep. Whoever wakes it looks at no other member than the address afterwards.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "system/futex.hpp"

namespace mainspring {

class Sleeper {
 public:
  // What finish() needs; the Sleeper itself may be gone by then.
  using Address = system::Futex*;

  Sleeper() = default;
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Returns once it has been woken, at once if that was before.
  void sleep() {
    const timespec nap{0, kNap};
    while (state_.load(std::memory_order_acquire) == kNapping) {
      if (system::futex_wait(&state_, kNapping, &nap) == 0 || errno != ETIMEDOUT) continue;
      uint32_t napping = kNapping;
      state_.compare_exchange_strong(napping, kSleeping, std::memory_order_acq_rel);
    }
    while (state_.load(std::memory_order_acquire) == kSleeping) system::futex_wait(&state_, kSleeping, nullptr);
  }

  // From other threads, once for each Sleeper.
  void wake() {
    const Address address = &state_;
    if (address->exchange(kWoken, std::memory_order_acq_rel) != kWoken) finish(address);
  }

  // The same, but for finish(): the caller owes that soon when the result is not nullptr.
  Address wake_later() {
    const Address address = &state_;
    if (address->exchange(kWoken, std::memory_order_acq_rel) == kNapping) return address;
    finish(address);
    return nullptr;
  }

  // Another sleeper that came to live there meanwhile looks at its own state.
  static void finish(Address address) { system::futex_wake(address); }

 private:
  enum State : uint32_t { kNapping, kSleeping, kWoken };

  // In ns. Longer than the tick of most kernels: a shorter one needs a timer interrupt of its own, which costs more
  // than the whole sleep.
  static constexpr long kNap = 5'000'000;

  system::Futex state_ = kNapping;
};

}  // namespace mainspring
