// A clock that costs a few nanoseconds to read, for decisions that need no exact unit.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#else
#include "loop/clock.hpp"
#endif

namespace mainspring {

#if defined(__x86_64__)

// The processor's time stamp counter: two to four ticks a nanosecond on today's machines.
inline int64_t cycles() { return static_cast<int64_t>(__rdtsc()); }
constexpr int64_t kCyclesInTensOfMicroseconds = 100'000;

#else

inline int64_t cycles() { return monotonic_ns(); }
constexpr int64_t kCyclesInTensOfMicroseconds = 40'000;

#endif

}  // namespace mainspring
