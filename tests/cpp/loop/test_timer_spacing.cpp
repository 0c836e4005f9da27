// TimerSpacing: a single timer wakes the loop for itself, a crowd does so together, and what is urgent does not wait.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "loop/timer_spacing.hpp"

using mainspring::TimerSpacing;

namespace {

constexpr int64_t kMicrosecond = 1'000;
constexpr int64_t kMillisecond = 1'000 * kMicrosecond;
constexpr int64_t kStart = 1'000 * kMillisecond;

// Four and more timers fire each time the loop is ready for them; the moment of the last.
int64_t crowd(TimerSpacing& spacing, int times) {
  int64_t now = kStart;
  for (int i = 0; i < times; ++i) {
    spacing.fired(10, now);
    now = spacing.sleep_until(now);
  }
  spacing.fired(10, now);
  return now;
}

}  // namespace

TEST_CASE("without a crowd a timer that is due is served, and one that follows another shortly is not woken for") {
  TimerSpacing spacing;
  spacing.fired(1, kStart);
  CHECK_FALSE(spacing.crowded());
  CHECK(spacing.wake_at(kStart + 1) == kStart + 1);
  CHECK(spacing.sleep_until(kStart + 1) == kStart + 50 * kMicrosecond);
  CHECK(spacing.sleep_until(kStart + kMillisecond) == kStart + kMillisecond);
}

TEST_CASE("a crowd is served together, a millisecond apart at most") {
  TimerSpacing spacing;
  const int64_t now = crowd(spacing, 10);
  CHECK(spacing.crowded());
  CHECK(spacing.wake_at(now + 1) == now + kMillisecond);
  CHECK(spacing.sleep_until(now + 1) == now + kMillisecond);
  CHECK(spacing.wake_at(now + 5 * kMillisecond) == now + 5 * kMillisecond);
}

TEST_CASE("a turn that other events make serves few timers and does not end the crowd") {
  TimerSpacing spacing;
  const int64_t now = crowd(spacing, 10);
  spacing.fired(1, now + 10 * kMicrosecond);
  CHECK(spacing.crowded());
}

TEST_CASE("the crowd has ended when few are left after the whole time") {
  TimerSpacing spacing;
  const int64_t now = crowd(spacing, 10) + kMillisecond;
  spacing.fired(3, now);
  CHECK_FALSE(spacing.crowded());
  CHECK(spacing.wake_at(now + 1) == now + 1);
}

TEST_CASE("many timers that fire seldom are no crowd") {
  TimerSpacing spacing;
  for (int64_t now = kStart; now < kStart + 100 * kMillisecond; now += 10 * kMillisecond) spacing.fired(1000, now);
  CHECK_FALSE(spacing.crowded());
}

TEST_CASE("what was due when it was set does not wait, once") {
  TimerSpacing spacing;
  const int64_t now = crowd(spacing, 10);
  spacing.hurry();
  CHECK(spacing.wake_at(now + 1) == now + 1);
  spacing.fired(1, now + 1);
  CHECK(spacing.wake_at(now + 2) == now + 1 + kMillisecond);
}
