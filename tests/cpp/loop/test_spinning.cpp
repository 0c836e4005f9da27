// SpinPolicy: what did not pay is tried again, but ever more rarely.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "loop/spinning.hpp"

using mainspring::SpinPolicy;

namespace {

// How many sleeps come without a spin before the next one with it.
int skipped(SpinPolicy& policy) {
  int sleeps = 0;
  while (!policy.should_spin()) REQUIRE(++sleeps <= SpinPolicy::kMostSkipped);
  return sleeps;
}

}  // namespace

TEST_CASE("a new policy spins, and goes on while that helps") {
  SpinPolicy policy;
  for (int i = 0; i < 10; ++i) {
    CHECK(skipped(policy) == 0);
    policy.spun(true);
  }
}

TEST_CASE("spins in vain become rare, and never cease") {
  SpinPolicy policy;
  int expected = 0;
  for (int i = 0; i < 20; ++i) {
    CHECK(skipped(policy) == expected);
    policy.spun(false);
    expected = expected < SpinPolicy::kMostSkipped ? 2 * expected + 2 : expected;
  }
  CHECK(expected == SpinPolicy::kMostSkipped);
}

TEST_CASE("where every other wait is long, spins meet the short ones too") {
  SpinPolicy policy;
  int met = 0;
  for (int wait = 0; wait < 3000; ++wait) {
    if (!policy.should_spin()) continue;
    const bool is_short = wait % 2 == 0;
    met += is_short;
    policy.spun(is_short);
  }
  CHECK(met > 700);
}

TEST_CASE("one that helps is enough") {
  SpinPolicy policy;
  for (int i = 0; i < 20; ++i) policy.spun(false);
  CHECK(skipped(policy) == SpinPolicy::kMostSkipped);
  policy.spun(true);
  CHECK(skipped(policy) == 0);
}
