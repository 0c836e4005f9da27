// BlockDetector: a block is found once while it lasts and once when it is over, and nothing else is.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "diagnostics/block_detector.hpp"

using mainspring::BlockDetector;
using Found = BlockDetector::Found;

namespace {

constexpr int64_t kThreshold = 80'000'000;

// Looks every interval.
struct Looking {
  BlockDetector detector{kThreshold, 2, 0};
  int64_t now = 0;

  Found look(uint64_t beat) {
    now += detector.interval();
    return detector.look(beat, beat & 1, now);
  }

  // How often a beat is seen before it is found to block, itself included.
  int looks_until_blocked(uint64_t beat) {
    int looks = 1;
    while (look(beat) == Found::kNothing) REQUIRE(++looks < 100);
    CHECK(detector.blocked());
    return looks;
  }
};

}  // namespace

TEST_CASE("a beat that stays is found when it has been seen for the threshold, once") {
  Looking looking;
  CHECK(looking.looks_until_blocked(3) == 1 + BlockDetector::kLooks);
  CHECK(looking.now - looking.detector.since() == kThreshold);
  for (int i = 0; i < 20; ++i) CHECK(looking.look(3) == Found::kNothing);
}

TEST_CASE("it is over when the beat changes, once, and is still known then") {
  Looking looking;
  looking.looks_until_blocked(3);
  const int64_t since = looking.detector.since();
  CHECK(looking.look(5) == Found::kOver);
  CHECK_FALSE(looking.detector.blocked());
  CHECK(looking.detector.beat() == 3);
  CHECK(looking.detector.since() == since);
  CHECK(looking.look(7) == Found::kNothing);
}

TEST_CASE("the block after a block is found") {
  Looking looking;
  looking.looks_until_blocked(3);
  CHECK(looking.look(5) == Found::kOver);
  looking.looks_until_blocked(5);
  CHECK(looking.detector.beat() == 5);
}

TEST_CASE("waiting is no block") {
  Looking looking;
  for (int i = 0; i < 100; ++i) CHECK(looking.look(4) == Found::kNothing);
}

TEST_CASE("many short beats are no block") {
  Looking looking;
  for (uint64_t beat = 3; beat < 300; beat += 2) CHECK(looking.look(beat) == Found::kNothing);
}

TEST_CASE("a block that was not found is not over either") {
  Looking looking;
  CHECK(looking.look(3) == Found::kNothing);
  CHECK(looking.look(3) == Found::kNothing);
  CHECK(looking.look(4) == Found::kNothing);
}

TEST_CASE("the time in which nobody looked hardly counts") {
  Looking looking;
  CHECK(looking.look(3) == Found::kNothing);
  looking.now += 100 * kThreshold;
  CHECK(looking.look(3) == Found::kNothing);
  CHECK(looking.looks_until_blocked(3) == BlockDetector::kLooks - 2);
}

TEST_CASE("the interval is bounded on both sides") {
  CHECK(BlockDetector(1, 2, 0).interval() == 200'000);
  CHECK(BlockDetector(kThreshold, 2, 0).interval() == kThreshold / BlockDetector::kLooks);
  CHECK(BlockDetector(INT64_MAX, 2, 0).interval() == 100'000'000);
}
