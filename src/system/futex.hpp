// Parks threads that sleep without a lock of their own. Linux's futex; elsewhere the same of mutexes and condition
// variables.
#pragma once

#include <time.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "system/portable.hpp"

#if MAINSPRING_PORTABLE
#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#else
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace mainspring::system {

using Futex = std::atomic<uint32_t>;
static_assert(sizeof(Futex) == sizeof(uint32_t));

#if MAINSPRING_PORTABLE

// Where threads sleep. The futex's address only chooses the place, so that it may be gone when it is woken; who sleeps
// at the same place for another's sake is woken too and looks at its own state.
class ParkingPlaces {
 public:
  struct Place {
    std::mutex lock;
    std::condition_variable woken;
  };

  static Place& of(const Futex* futex) {
    static ParkingPlaces* const places = make();
    const auto address = reinterpret_cast<uintptr_t>(futex);
    // The stacks of threads are alike, so that what differs are bits further up.
    return places->places_[(address >> 4 ^ address >> 12 ^ address >> 21) % kPlaces];
  }

 private:
  static constexpr uintptr_t kPlaces = 64;

  // In a forked child other threads may seem to hold a lock for ever, or to sleep. None of them exists there. It is
  // never destroyed: threads may sleep while the process exits.
  static ParkingPlaces* make() {
    alignas(ParkingPlaces) static char memory[sizeof(ParkingPlaces)];
    pthread_atfork(nullptr, nullptr, [] { new (memory) ParkingPlaces; });
    return new (memory) ParkingPlaces;
  }

  Place places_[kPlaces];
};

// Sleeps while `futex` holds `value`, at most for `limit` if there is one; -1 with errno when it did not sleep, or was
// not woken.
inline long futex_wait(Futex* futex, uint32_t value, const timespec* limit) {
  ParkingPlaces::Place& place = ParkingPlaces::of(futex);
  std::unique_lock hold(place.lock);
  if (futex->load(std::memory_order_acquire) != value) {
    errno = EAGAIN;
    return -1;
  }
  if (!limit) {
    place.woken.wait(hold);
    return 0;
  }
  const auto most = std::chrono::seconds(limit->tv_sec) + std::chrono::nanoseconds(limit->tv_nsec);
  if (place.woken.wait_for(hold, most) == std::cv_status::no_timeout) return 0;
  errno = ETIMEDOUT;
  return -1;
}

// Wakes the sleeper. Whoever goes to sleep looks at the futex under the lock, so it is asleep by now or will not be.
inline void futex_wake(Futex* futex) {
  ParkingPlaces::Place& place = ParkingPlaces::of(futex);
  {
    const std::lock_guard hold(place.lock);
  }
  place.woken.notify_all();
}

#else

// Sleeps while `futex` holds `value`, at most for `limit` if there is one; -1 with errno when it did not sleep, or was
// not woken.
inline long futex_wait(Futex* futex, uint32_t value, const timespec* limit) {
  return syscall(SYS_futex, static_cast<void*>(futex), FUTEX_WAIT_PRIVATE, value, limit, nullptr, 0);
}

// Wakes one sleeper. The kernel only uses the address as a name, so the futex may be gone by now.
inline void futex_wake(Futex* futex) {
  syscall(SYS_futex, static_cast<void*>(futex), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

#endif

}  // namespace mainspring::system
