// Latencies: a histogram of nanoseconds with 64 buckets to the power of two, so quantiles are within 1.6%.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace load {

class Latencies {
 public:
  void add(std::uint64_t nanoseconds) {
    ++buckets_[bucket(nanoseconds)];
    ++total_;
  }

  void clear() {
    buckets_.fill(0);
    total_ = 0;
  }

  // The upper edge of the bucket in which the quantile lies, in microseconds.
  double microseconds(double quantile) const {
    if (total_ == 0) return 0.0;
    const auto rank = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(total_)));
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < buckets_.size(); ++index) {
      seen += buckets_[index];
      if (seen >= rank) return static_cast<double>(upper_edge(index)) / 1000.0;
    }
    return 0.0;
  }

 private:
  static constexpr unsigned sub_bits = 6;
  static constexpr std::size_t sub_count = std::size_t{1} << sub_bits;

  static std::size_t bucket(std::uint64_t value) {
    if (value < sub_count) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - sub_bits - 1;
    return (std::size_t{shift} + 1) * sub_count + ((value >> shift) - sub_count);
  }

  static std::uint64_t upper_edge(std::size_t index) {
    if (index < sub_count) return index;
    const std::size_t shift = index / sub_count - 1;
    return ((index % sub_count + sub_count + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - sub_bits + 1) * sub_count> buckets_{};
  std::uint64_t total_ = 0;
};

}  // namespace load
