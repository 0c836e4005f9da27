// TimerWheel: exact order, ties in order of insertion, nothing early, nothing lost; against a std::multimap.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <malloc.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "loop/timer_wheel.hpp"

using mainspring::TimerNode;
using mainspring::TimerWheel;

namespace {

constexpr int64_t kMillisecond = 1'000'000;
constexpr int64_t kSecond = 1'000'000'000;

std::vector<TimerNode*> pop_all(TimerWheel& wheel, int64_t now) {
  std::vector<TimerNode*> popped;
  while (TimerNode* node = wheel.pop_due(now)) popped.push_back(node);
  return popped;
}

}  // namespace

TEST_CASE("an empty wheel has nothing to wait for") {
  TimerWheel wheel;
  CHECK(wheel.empty());
  CHECK(wheel.size() == 0);
  CHECK(wheel.next_deadline() == TimerWheel::kNever);
  CHECK(wheel.pop_due(INT64_MAX) == nullptr);
  CHECK(wheel.pop_any() == nullptr);
}

TEST_CASE("a timer comes out at its deadline and not a nanosecond before") {
  for (const int64_t start : {int64_t{0}, int64_t{12'345'678'901}, int64_t{1} << 60}) {
    for (const int64_t delay : {int64_t{1}, int64_t{1000}, kMillisecond, 70 * kMillisecond, kSecond, 3600 * kSecond}) {
      TimerWheel wheel;
      CHECK(wheel.pop_due(start) == nullptr);
      TimerNode node;
      wheel.insert(&node, start + delay);
      CHECK(node.scheduled());
      CHECK(wheel.next_deadline() == start + delay);
      CHECK(wheel.pop_due(start) == nullptr);
      CHECK(wheel.pop_due(start + delay - 1) == nullptr);
      CHECK(wheel.pop_due(start + delay) == &node);
      CHECK_FALSE(node.scheduled());
      CHECK(wheel.empty());
    }
  }
}

TEST_CASE("the exact deadline is that of the earliest timer, however many share its slot") {
  TimerWheel wheel;
  std::vector<TimerNode> nodes(1000);
  for (int64_t i = 0; i < 1000; ++i) wheel.insert(&nodes[i], 100'000 * kSecond + (i * 37 % 1000 + 1) * kMillisecond);
  CHECK(wheel.next_deadline() <= 100'000 * kSecond + kMillisecond);
  for (int64_t i = 1; i <= 1000; ++i) {
    const int64_t deadline = wheel.exact_deadline();
    REQUIRE(deadline == 100'000 * kSecond + i * kMillisecond);
    REQUIRE(pop_all(wheel, deadline).size() == 1);
  }
  CHECK(wheel.exact_deadline() == TimerWheel::kNever);
}

TEST_CASE("equal deadlines come out in the order of insertion") {
  TimerWheel wheel;
  wheel.pop_due(kSecond);
  std::vector<TimerNode> nodes(1000);
  // Near, within the tick, and far, through several levels.
  for (const int64_t deadline : {kSecond + 10, 2 * kSecond, 5000 * kSecond}) {
    for (TimerNode& node : nodes) wheel.insert(&node, deadline);
    const auto popped = pop_all(wheel, deadline);
    REQUIRE(popped.size() == nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) REQUIRE(popped[i] == &nodes[i]);
  }
}

TEST_CASE("equal deadlines keep their order when they were inserted at different times") {
  TimerWheel wheel;
  std::vector<TimerNode> nodes(64);
  const int64_t deadline = 10 * kSecond;
  for (size_t i = 0; i < nodes.size(); ++i) {
    // Each from nearer: so each through another level.
    const int64_t now = deadline - (deadline >> i);
    CHECK(wheel.pop_due(std::min(now, deadline - 1)) == nullptr);
    wheel.insert(&nodes[i], deadline);
  }
  const auto popped = pop_all(wheel, deadline);
  REQUIRE(popped.size() == nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) REQUIRE(popped[i] == &nodes[i]);
}

TEST_CASE("a crowded tick comes out in order, equal deadlines in the order of insertion") {
  const int64_t tick = int64_t{1} << 20;
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    TimerWheel wheel;
    wheel.pop_due(kSecond);
    // Few different deadlines or many, in one tick or in three, some of them set when it was further away.
    const uint64_t differences = seed % 2 ? 50 : 3 * static_cast<uint64_t>(tick);
    const int64_t first = 5000 * tick + (seed % 3 ? 0 : tick / 2);
    std::vector<TimerNode> nodes(4000);
    std::multimap<int64_t, TimerNode*> reference;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (i == nodes.size() / 2) wheel.pop_due(first - 3 * tick);
      const int64_t deadline = first + static_cast<int64_t>(random() % differences);
      wheel.insert(&nodes[i], deadline);
      reference.emplace(deadline, &nodes[i]);
    }
    int64_t now = first - 1;
    while (!reference.empty()) {
      while (reference.begin()->first > now) now += tick / 7;
      REQUIRE(wheel.pop_due(now) == reference.begin()->second);
      reference.erase(reference.begin());
      if (reference.size() % 5 == 0 && reference.size() > 100) {
        const auto victim = std::next(reference.begin(), static_cast<long>(random() % 100));
        wheel.remove(victim->second);
        reference.erase(victim);
      }
    }
    REQUIRE(wheel.empty());
  }
}

TEST_CASE("random inserts, removals and clocks agree with a multimap") {
  for (unsigned seed = 0; seed < 8; ++seed) {
    std::mt19937_64 random(seed);
    TimerWheel wheel;
    // A multimap keeps equal keys in the order of insertion.
    std::multimap<int64_t, TimerNode*> reference;
    std::vector<std::unique_ptr<TimerNode>> nodes;
    std::vector<TimerNode*> idle;
    int64_t now = seed % 2 ? static_cast<int64_t>(random() % (1000 * kSecond)) : 0;
    const auto delay = [&]() -> int64_t {
      switch (random() % 7) {
        case 0:
          return 0;
        case 1:
          return static_cast<int64_t>(random() % 1000);
        case 2:
          return static_cast<int64_t>(random() % (2 * kMillisecond));
        case 3:
          return static_cast<int64_t>(random() % kSecond);
        case 4:
          return static_cast<int64_t>(random() % (3600 * kSecond));
        case 5:
          return -static_cast<int64_t>(random() % kSecond);
        default:
          return static_cast<int64_t>(random() % 50) * kMillisecond;
      }
    };
    for (int step = 0; step < 40'000; ++step) {
      const unsigned choice = random() % 10;
      if (choice < 5) {
        if (idle.empty()) {
          nodes.push_back(std::make_unique<TimerNode>());
          idle.push_back(nodes.back().get());
        }
        TimerNode* node = idle.back();
        idle.pop_back();
        const int64_t deadline = now + delay();
        wheel.insert(node, deadline);
        reference.emplace(deadline, node);
      } else if (choice < 7 && !reference.empty()) {
        auto victim =
            std::next(reference.begin(), static_cast<long>(random() % std::min<size_t>(reference.size(), 50)));
        wheel.remove(victim->second);
        REQUIRE_FALSE(victim->second->scheduled());
        idle.push_back(victim->second);
        reference.erase(victim);
      } else {
        if (choice == 9) now += std::max<int64_t>(delay(), 0);
        while (!reference.empty() && reference.begin()->first <= now) {
          TimerNode* node = wheel.pop_due(now);
          REQUIRE(node == reference.begin()->second);
          idle.push_back(node);
          reference.erase(reference.begin());
        }
        REQUIRE(wheel.pop_due(now) == nullptr);
      }
      REQUIRE(wheel.size() == reference.size());
      REQUIRE(wheel.empty() == reference.empty());
      if (reference.empty()) {
        REQUIRE(wheel.next_deadline() == TimerWheel::kNever);
      } else {
        REQUIRE(wheel.next_deadline() <= reference.begin()->first);
      }
    }
  }
}

TEST_CASE("waiting for next_deadline() reaches a timer among thousands after few waits") {
  TimerWheel wheel;
  wheel.pop_due(kSecond);
  std::vector<TimerNode> nodes(5000);
  for (size_t i = 0; i < nodes.size(); ++i) wheel.insert(&nodes[i], 7 * kSecond + static_cast<int64_t>(i));
  int waits = 0;
  int64_t now = kSecond;
  TimerNode* first = nullptr;
  while (!first) {
    REQUIRE(++waits < 50);
    const int64_t next = wheel.next_deadline();
    REQUIRE(next >= now);
    REQUIRE(next <= 7 * kSecond);
    now = next;
    first = wheel.pop_due(now);
  }
  CHECK(first == &nodes[0]);
  CHECK(now == 7 * kSecond);
}

TEST_CASE("the extremes of the clock") {
  TimerWheel wheel;
  TimerNode latest, late, past, negative;
  wheel.insert(&latest, INT64_MAX);
  wheel.insert(&late, INT64_MAX - 1);
  wheel.insert(&past, INT64_MIN);
  wheel.insert(&negative, -1);
  CHECK(wheel.next_deadline() == INT64_MIN);
  CHECK(pop_all(wheel, 0) == std::vector<TimerNode*>{&past, &negative});
  CHECK(wheel.pop_due(1000 * kSecond) == nullptr);
  CHECK(wheel.next_deadline() == INT64_MAX - 1);
  CHECK(pop_all(wheel, INT64_MAX - 1) == std::vector<TimerNode*>{&late});
  CHECK(pop_all(wheel, INT64_MAX) == std::vector<TimerNode*>{&latest});
}

TEST_CASE("a clock that stands still or goes back loses nothing") {
  TimerWheel wheel;
  wheel.pop_due(10 * kSecond);
  TimerNode node;
  wheel.insert(&node, 5 * kSecond);
  CHECK(wheel.pop_due(4 * kSecond) == nullptr);
  CHECK(wheel.pop_due(5 * kSecond) == &node);
}

TEST_CASE("visit and pop_any meet every timer once") {
  TimerWheel wheel;
  wheel.pop_due(kSecond);
  std::vector<TimerNode> nodes(500);
  for (size_t i = 0; i < nodes.size(); ++i) {
    wheel.insert(&nodes[i], kSecond + static_cast<int64_t>(i * i) * kMillisecond);
  }
  std::vector<TimerNode*> visited;
  CHECK(wheel.visit([&](TimerNode* node) {
    visited.push_back(node);
    return 0;
  }) == 0);
  std::sort(visited.begin(), visited.end());
  CHECK(std::unique(visited.begin(), visited.end()) == visited.end());
  CHECK(visited.size() == nodes.size());
  CHECK(wheel.visit([](TimerNode*) { return 7; }) == 7);
  size_t popped = 0;
  while (wheel.pop_any()) ++popped;
  CHECK(popped == nodes.size());
  CHECK(wheel.empty());
}

TEST_CASE("a million timers that were removed hold no memory") {
  TimerWheel wheel;
  std::mt19937_64 random(9);
  std::vector<TimerNode> nodes(1'000'000);
  const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (TimerNode& node : nodes) wheel.insert(&node, static_cast<int64_t>(random() % (100 * kSecond)) - kMillisecond);
  for (TimerNode& node : nodes) wheel.remove(&node);
  CHECK(wheel.empty());
  // All of them in one tick, which has begun: these are in the run.
  const int64_t tick = int64_t{1} << 20;
  for (TimerNode& node : nodes) wheel.insert(&node, 200'000 * tick + static_cast<int64_t>(random() % 1000) + 1);
  CHECK(wheel.pop_due(200'000 * tick) == nullptr);
  for (TimerNode& node : nodes) wheel.remove(&node);
  CHECK(wheel.empty());
  // All of them due at once: these go through the heap.
  for (TimerNode& node : nodes) wheel.insert(&node, -1);
  for (TimerNode& node : nodes) wheel.remove(&node);
  CHECK(wheel.empty());
  CHECK(mallinfo2().uordblks + mallinfo2().hblkhd <= before + 64 * 1024);
}
