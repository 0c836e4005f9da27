// How often durations were how long, in buckets whose limits double: from a microsecond to some seventeen seconds, and
// one for what is longer. Knows neither Python nor libuv.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace mainspring {

class Histogram {
 public:
  // Those with a limit.
  static constexpr size_t kBuckets = 25;

  // The longest duration that the bucket counts, in nanoseconds.
  static constexpr int64_t limit(size_t bucket) { return int64_t{1000} << bucket; }

  void add(int64_t ns) {
    if (ns < 0) ns = 0;
    const auto microseconds = (static_cast<uint64_t>(ns) + 999) / 1000;
    const auto bucket = microseconds <= 1 ? size_t{0} : static_cast<size_t>(std::bit_width(microseconds - 1));
    ++counts_[bucket < kBuckets ? bucket : kBuckets];
    sum_ += ns;
  }

  // How many fell into the bucket; the last one, kBuckets, has no limit.
  uint64_t count(size_t bucket) const { return counts_[bucket]; }

  // All of them together, in nanoseconds.
  int64_t sum() const { return sum_; }

 private:
  std::array<uint64_t, kBuckets + 1> counts_{};
  int64_t sum_ = 0;
};

}  // namespace mainspring
