// The clock that time.monotonic() reads.
#pragma once

#include <time.h>

namespace mainspring::system {

#ifdef __APPLE__
// CLOCK_MONOTONIC has whole microseconds there and goes on while the machine sleeps; Python's clock does neither.
constexpr clockid_t kMonotonicClock = CLOCK_UPTIME_RAW;
#else
constexpr clockid_t kMonotonicClock = CLOCK_MONOTONIC;
#endif

}  // namespace mainspring::system
