// first_ns_at: the nanosecond at which a timer may fire is never one at which loop.time() is still before it.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "loop/clock.hpp"

using mainspring::first_ns_at;
using mainspring::monotonic_ns;
using mainspring::seconds;

TEST_CASE("the moment is not before the deadline, and hardly after it") {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> small(0, 10), large(0, 4e6);
  for (int i = 0; i < 200'000; ++i) {
    const double when = i % 2 ? small(random) : large(random);
    const int64_t ns = first_ns_at(when);
    REQUIRE(seconds(ns) >= when);
    REQUIRE(seconds(ns) - when < 2e-9 + 1e-15 * when);
  }
}

TEST_CASE("whole nanoseconds stay what they are") {
  CHECK(first_ns_at(0.0) == 0);
  CHECK(first_ns_at(1.0) == 1'000'000'000);
  CHECK(first_ns_at(-1.0) == -1'000'000'000);
}

TEST_CASE("what no clock can show is limited") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(first_ns_at(infinity) == INT64_MAX);
  CHECK(first_ns_at(1e300) == INT64_MAX);
  CHECK(first_ns_at(-infinity) == INT64_MIN);
  CHECK(first_ns_at(-1e300) == INT64_MIN);
  CHECK(first_ns_at(std::nan("")) == INT64_MIN);
  CHECK(first_ns_at(9.1e9) > 0);
  CHECK(first_ns_at(9.1e9) < INT64_MAX);
}

TEST_CASE("the clock runs forward") {
  const int64_t first = monotonic_ns();
  int64_t last = first;
  for (int i = 0; i < 10'000; ++i) {
    const int64_t now = monotonic_ns();
    REQUIRE(now >= last);
    last = now;
  }
  CHECK(last > first);
}
