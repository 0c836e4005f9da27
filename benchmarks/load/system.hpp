// system: clocks, and errors with their names.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>

namespace load {

inline constexpr std::uint64_t second = 1'000'000'000;
inline constexpr std::uint64_t patience = 10 * second;

inline std::uint64_t clock_nanoseconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * second + static_cast<std::uint64_t>(time.tv_nsec);
}

inline std::uint64_t now_nanoseconds() { return clock_nanoseconds(CLOCK_MONOTONIC); }
inline double own_processor_time() { return static_cast<double>(clock_nanoseconds(CLOCK_PROCESS_CPUTIME_ID)) / 1e9; }

inline std::runtime_error system_error(const std::string& what, int code) {
  return std::runtime_error(what + ": " + std::strerror(code));
}

}  // namespace load
