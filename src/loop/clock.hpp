// The clock of time.monotonic(), in nanoseconds and in seconds.
#pragma once

#include <time.h>

#include <cmath>
#include <cstdint>

#include "system/monotonic_clock.hpp"

namespace mainspring {

inline int64_t monotonic_ns() {
  timespec now;
  clock_gettime(system::kMonotonicClock, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

// The same rounding as time.monotonic(), so that both clocks can be compared.
inline double seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

// The first nanosecond at which loop.time() is not before `when`: timers never fire early. NaN is due at once, as on
// the default loop, where it compares as not later than anything.
inline int64_t first_ns_at(double when) {
  if (std::isnan(when)) return INT64_MIN;
  const double ns = std::ceil(when * 1e9);
  if (ns >= 9.2e18) return INT64_MAX;
  if (ns <= -9.2e18) return INT64_MIN;
  auto result = static_cast<int64_t>(ns);
  while (seconds(result) < when) ++result;
  return result;
}

}  // namespace mainspring
