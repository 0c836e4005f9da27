// VirtualClock: deadlines are the nearest nanosecond, and never leave a program waiting for a moment that has come.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "loop/virtual_clock.hpp"

using mainspring::seconds;
using mainspring::VirtualClock;

TEST_CASE("sums of decimal fractions end at the nanosecond that was meant") {
  VirtualClock clock(0, 0, 0);
  for (int i = 1; i <= 10'000; ++i) {
    clock.move_to(clock.deadline_of(seconds(clock.now()) + 0.1));
    REQUIRE(clock.now() == i * int64_t{100'000'000});
  }
}

TEST_CASE("the clock never goes back") {
  VirtualClock clock(5'000, 0, 0);
  clock.move_to(4'000);
  CHECK(clock.now() == 5'000);
  clock.move_to(std::numeric_limits<int64_t>::min());
  CHECK(clock.now() == 5'000);
}

TEST_CASE("a deadline after the present is a later moment, on both sides of where doubles become coarse") {
  std::mt19937_64 random(1);
  for (const double greatest : {1.0, 1e3, 4e6, 5e6, 4e9}) {
    std::uniform_real_distribution<double> somewhere(0, greatest);
    for (int i = 0; i < 50'000; ++i) {
      VirtualClock clock(static_cast<int64_t>(somewhere(random) * 1e9), 0, 0);
      const double before = seconds(clock.now());
      const double when = std::nextafter(before, 1e300);
      clock.move_to(clock.deadline_of(when));
      REQUIRE(seconds(clock.now()) >= when);
      REQUIRE(seconds(clock.now()) - before <= 2e-9 + 4.5e-16 * before);
    }
  }
}

TEST_CASE("what is no time is due at once or never") {
  const VirtualClock clock(5'000, 0, 0);
  CHECK(clock.deadline_of(std::nan("")) < clock.now());
  CHECK(clock.deadline_of(-1e300) < clock.now());
  CHECK(clock.deadline_of(std::numeric_limits<double>::infinity()) == std::numeric_limits<int64_t>::max());
}
