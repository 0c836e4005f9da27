// Linux's futex, for threads that sleep without a lock. Knows no Python.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace mainspring {

using Futex = std::atomic<uint32_t>;
static_assert(sizeof(Futex) == sizeof(uint32_t));

// Sleeps while `futex` holds `value`, at most for `limit` if there is one; -1 with errno when it did not sleep, or was
// not woken.
inline long futex_wait(Futex* futex, uint32_t value, const timespec* limit) {
  return syscall(SYS_futex, static_cast<void*>(futex), FUTEX_WAIT_PRIVATE, value, limit, nullptr, 0);
}

// Wakes one sleeper. The kernel only uses the address as a name, so the futex may be gone by now.
inline void futex_wake(Futex* futex) {
  syscall(SYS_futex, static_cast<void*>(futex), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace mainspring
