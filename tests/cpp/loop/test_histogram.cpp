// Histogram: each duration in the bucket with the smallest limit that is not below it.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <random>

#include "loop/histogram.hpp"

using mainspring::Histogram;

namespace {

size_t bucket_of(int64_t ns) {
  Histogram histogram;
  histogram.add(ns);
  size_t found = Histogram::kBuckets + 1;
  for (size_t i = 0; i <= Histogram::kBuckets; ++i) {
    if (histogram.count(i) == 0) continue;
    CHECK(histogram.count(i) == 1);
    CHECK(found > Histogram::kBuckets);
    found = i;
  }
  return found;
}

size_t expected_bucket(int64_t ns) {
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    if (ns <= Histogram::limit(i)) return i;
  }
  return Histogram::kBuckets;
}

}  // namespace

TEST_CASE("limits belong to their bucket") {
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    CHECK(bucket_of(Histogram::limit(i)) == i);
    CHECK(bucket_of(Histogram::limit(i) + 1) == i + 1);
  }
}

TEST_CASE("nothing, what is negative and what is longest have their place") {
  CHECK(bucket_of(0) == 0);
  CHECK(bucket_of(-5) == 0);
  CHECK(bucket_of(INT64_MAX) == Histogram::kBuckets);
}

TEST_CASE("any duration is where a search would put it") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto ns = static_cast<int64_t>(random() >> (1 + random() % 63));
    CHECK(bucket_of(ns) == expected_bucket(ns));
  }
}

TEST_CASE("the sum is that of what was added") {
  Histogram histogram;
  histogram.add(1'500);
  histogram.add(40'000'000);
  histogram.add(-3);
  CHECK(histogram.sum() == 40'001'500);
}
