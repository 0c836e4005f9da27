// PollPolicy: eager after anything came, then bounded in turns and in time.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "loop/poll_policy.hpp"

using mainspring::PollPolicy;

namespace {

// Polls without finding anything until the policy is no longer eager; the number of polls.
int exhaust(PollPolicy& policy, int64_t now) {
  int polls = 0;
  while (policy.eager()) {
    REQUIRE(policy.should_poll([] { return int64_t{0}; }));
    policy.polled(false, now);
    ++polls;
    REQUIRE(polls < 1000);
  }
  return polls;
}

}  // namespace

TEST_CASE("a new policy polls every turn for a while") {
  PollPolicy policy;
  CHECK(exhaust(policy, 0) == PollPolicy::kEagerTurns);
}

TEST_CASE("turns without a poll are bounded in number") {
  PollPolicy policy;
  exhaust(policy, 1000);
  for (int round = 0; round < 3; ++round) {
    int turns = 1;
    while (!policy.should_poll([] { return int64_t{1000}; })) REQUIRE(++turns <= PollPolicy::kSkippedTurns);
    CHECK(turns == PollPolicy::kSkippedTurns);
    policy.polled(false, 1000);
  }
}

TEST_CASE("turns without a poll are bounded in time") {
  PollPolicy policy;
  exhaust(policy, 1000);
  CHECK_FALSE(policy.should_poll([] { return 1000 + PollPolicy::kSkippedTime - 1; }));
  CHECK(policy.should_poll([] { return 1000 + PollPolicy::kSkippedTime; }));
}

TEST_CASE("finding something makes it eager again") {
  PollPolicy policy;
  exhaust(policy, 0);
  policy.polled(true, 0);
  CHECK(policy.eager());
  CHECK(exhaust(policy, 0) == PollPolicy::kEagerTurns);
}

TEST_CASE("expecting something makes it eager again") {
  PollPolicy policy;
  exhaust(policy, 0);
  CHECK_FALSE(policy.eager());
  policy.expect_events();
  CHECK(policy.eager());
}

TEST_CASE("after a turn that only received one poll is left out") {
  PollPolicy policy;
  policy.polled(true, 0);
  policy.only_received();
  const auto now = [] { return int64_t{0}; };
  CHECK_FALSE(policy.should_poll(now));
  CHECK(policy.should_poll(now));
}

TEST_CASE("what is expected, and a poll, end the leave to leave one out") {
  const auto now = [] { return int64_t{0}; };
  PollPolicy policy;
  policy.only_received();
  policy.expect_events();
  CHECK(policy.should_poll(now));
  policy.only_received();
  policy.polled(true, 0);
  CHECK(policy.should_poll(now));
}

TEST_CASE("the clock is not read while eager") {
  PollPolicy policy;
  bool read = false;
  CHECK(policy.should_poll([&] {
    read = true;
    return int64_t{0};
  }));
  CHECK_FALSE(read);
}
