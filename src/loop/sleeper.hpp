// A thread that sleeps until it is woken, perhaps after spinning, and that can be woken in two steps. Knows no Python.
//
// Who wakes a thread while holding what the thread needs next (the GIL) only makes it run into that and sleep again. So
// wake_later() merely notes that the thread has been woken; the system call, finish(), follows when the waker has let
// go. Should the waker be held up before it gets there, the thread notices by itself: it begins with a nap of 5 ms,
// which is also how long threads wait before they ask for the GIL. After that it sleeps soundly, costs nothing, and
// wake_later() wakes it at once.
//
// One that spins would notice too early that it is to be woken later: it goes on spinning until a wake-up has been
// finished, whosever, or its time is over.
//
// Belongs to the sleeping thread, for one sleep. Whoever wakes it looks at no other member than the address afterwards.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "loop/spinning.hpp"
#include "system/futex.hpp"

namespace mainspring {

class Sleeper {
 public:
  // What finish() needs; the Sleeper itself may be gone by then.
  using Address = system::Futex*;

  // A thread that `spins` calls spin() before it calls sleep().
  explicit Sleeper(bool spins = false) : state_(spins ? kSpinning : kNapping) {}
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Returns whether it has been woken meanwhile. `time` is in cycles().
  bool spin(uint64_t time = kSpinTime) {
    const SpinClock clock;
    uint32_t state;
    while ((state = state_.load(std::memory_order_acquire)) != kWoken) {
      if (is_overdue(state)) return true;
      if (clock.elapsed() > time) break;
      relax_processor();
    }
    // Where the waker is held up, the thread goes ahead.
    if (state != kSpinning) return true;
    return !state_.compare_exchange_strong(state, kNapping, std::memory_order_acq_rel);
  }

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
    if (is_asleep(address->exchange(kWoken, std::memory_order_acq_rel))) system::futex_wake(address);
  }

  // The same, but for finish(): the caller owes that soon when the result is not nullptr.
  Address wake_later() {
    const Address address = &state_;
    uint32_t state = kSpinning;
    if (address->compare_exchange_strong(state, owed(), std::memory_order_acq_rel)) return &finished_;
    if (address->exchange(kWoken, std::memory_order_acq_rel) == kNapping) return address;
    system::futex_wake(address);
    return nullptr;
  }

  // Another sleeper that came to live there meanwhile looks at its own state.
  static void finish(Address address) {
    if (address == &finished_) {
      finished_.fetch_add(1, std::memory_order_release);
    } else {
      system::futex_wake(address);
    }
  }

 private:
  // With kOwed, the wake-up of a thread that spins, stands in the other bits how many had been finished by then.
  enum State : uint32_t { kNapping, kSleeping, kSpinning, kWoken, kOwed };
  static constexpr int kStateBits = 3;

  static bool is_asleep(uint32_t state) { return state == kNapping || state == kSleeping; }
  static uint32_t owed() { return finished_.load(std::memory_order_relaxed) << kStateBits | kOwed; }

  // Whether a wake-up has been finished since; false also for the other states.
  static bool is_overdue(uint32_t state) {
    return (state & ((1 << kStateBits) - 1)) == kOwed &&
           (finished_.load(std::memory_order_acquire) << kStateBits | kOwed) != state;
  }

  // In ns. Longer than the tick of most kernels: a shorter one needs a timer interrupt of its own, which costs more
  // than the whole sleep.
  static constexpr long kNap = 5'000'000;

  // Wake-ups of threads that spun.
  static inline system::Futex finished_ = 0;

  system::Futex state_;
};

}  // namespace mainspring
