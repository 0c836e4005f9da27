// Interval: sleeps end by themselves, or for good when another thread says so. What fails here hangs.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <thread>

#include "diagnostics/interval.hpp"

using mainspring::Interval;

namespace {

constexpr int64_t kHour = 3'600'000'000'000;

}  // namespace

TEST_CASE("a sleep ends by itself") {
  Interval interval;
  interval.sleep(1'000'000);
  CHECK_FALSE(interval.ended());
}

TEST_CASE("another thread ends the sleep") {
  Interval interval;
  std::thread sleeping([&] {
    while (!interval.ended()) interval.sleep(kHour);
  });
  std::this_thread::yield();
  interval.end();
  sleeping.join();
  CHECK(interval.ended());
}

TEST_CASE("nobody sleeps after the end") {
  Interval interval;
  interval.end();
  interval.sleep(kHour);
  CHECK(interval.ended());
}
