// ReadyQueue: first in, first out, through every growth and wrap; gives memory back after a burst.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <deque>
#include <random>
#include <utility>
#include <vector>

#include "loop/ready_queue.hpp"

using mainspring::ReadyItem;
using mainspring::ReadyQueue;

namespace {

struct alignas(8) Thing {
  int number;
};

}  // namespace

TEST_CASE("an item keeps its pointer and its kind") {
  Thing thing{1};
  for (unsigned kind = 0; kind < ReadyItem::kKinds; ++kind) {
    const ReadyItem item(&thing, kind);
    CHECK(item.kind() == kind);
    CHECK(item.as<Thing>() == &thing);
  }
}

TEST_CASE("a new queue is empty") {
  ReadyQueue queue;
  CHECK(queue.empty());
  CHECK(queue.size() == 0);
}

TEST_CASE("random pushes and pops agree with a deque") {
  std::vector<Thing> things(1000);
  std::mt19937 random(2);
  ReadyQueue queue;
  std::deque<std::pair<Thing*, unsigned>> reference;
  for (int step = 0; step < 300'000; ++step) {
    // Phases of growth and of drain, so that the ring wraps at every size.
    const bool grows = (step / 20'000) % 2 == 0;
    if (random() % 10 < (grows ? 6u : 4u)) {
      Thing* thing = &things[random() % things.size()];
      const unsigned kind = random() % ReadyItem::kKinds;
      queue.push(ReadyItem(thing, kind));
      reference.emplace_back(thing, kind);
    } else if (!reference.empty()) {
      const ReadyItem item = queue.pop();
      REQUIRE(item.as<Thing>() == reference.front().first);
      REQUIRE(item.kind() == reference.front().second);
      reference.pop_front();
    }
    REQUIRE(queue.size() == reference.size());
    REQUIRE(queue.empty() == reference.empty());
    REQUIRE(queue.capacity() >= queue.size());
    if (!reference.empty()) {
      const size_t index = random() % reference.size();
      REQUIRE(queue.at(index).as<Thing>() == reference[index].first);
    }
  }
}

TEST_CASE("memory of a burst is given back once it is drained") {
  Thing thing{0};
  ReadyQueue queue;
  const size_t smallest = queue.capacity();
  for (int i = 0; i < 1'000'000; ++i) queue.push(ReadyItem(&thing, 0));
  CHECK(queue.capacity() >= 1'000'000);
  while (!queue.empty()) queue.pop();
  CHECK(queue.capacity() == smallest);
  queue.push(ReadyItem(&thing, 1));
  CHECK(queue.pop().kind() == 1);
}

TEST_CASE("a moderate queue keeps its memory") {
  Thing thing{0};
  ReadyQueue queue;
  for (int i = 0; i < 1000; ++i) queue.push(ReadyItem(&thing, 0));
  const size_t grown = queue.capacity();
  while (!queue.empty()) queue.pop();
  CHECK(queue.capacity() == grown);
}
