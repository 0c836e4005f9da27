// TimerWheel against a multimap: timers set, cancelled and due in any order, at any distance, with a clock that stands
// still, goes on by any step or back.
#include <array>
#include <iterator>
#include <limits>
#include <map>

#include "input.hpp"
#include "loop/timer_wheel.hpp"

using mainspring::TimerNode;
using mainspring::TimerWheel;

namespace {

constexpr int64_t kLatest = std::numeric_limits<int64_t>::max();

int64_t later(int64_t now, uint64_t by) {
  const auto room = static_cast<uint64_t>(kLatest) - static_cast<uint64_t>(now);
  return now + static_cast<int64_t>(by < room ? by : room);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  TimerWheel wheel;
  // Equal keys stay in the order of insertion.
  std::multimap<int64_t, TimerNode*> model;
  std::array<TimerNode, 48> nodes;
  std::map<TimerNode*, std::multimap<int64_t, TimerNode*>::iterator> scheduled;
  int64_t now = static_cast<int64_t>(input.number() >> 1);
  const auto forget = [&](TimerNode* node) {
    FUZZ_CHECK(!node->scheduled());
    const auto found = scheduled.find(node);
    FUZZ_CHECK(found != scheduled.end());
    model.erase(found->second);
    scheduled.erase(found);
  };
  while (!input.empty()) {
    const uint64_t choice = input.below(16);
    TimerNode* node = &nodes[input.below(nodes.size())];
    if (choice < 8) {
      if (!node->scheduled()) {
        const uint64_t distance = input.number();
        int64_t deadline = choice == 0 ? static_cast<int64_t>(distance) : later(now, distance >> (choice < 4 ? 24 : 1));
        // The same deadline as another's, or its neighbour's.
        if (choice == 1 && !model.empty()) deadline = std::next(model.begin(), model.size() / 2)->first;
        wheel.insert(node, deadline);
        scheduled[node] = model.emplace(deadline, node);
        FUZZ_CHECK(node->scheduled());
      }
    } else if (choice < 11) {
      if (node->scheduled()) {
        wheel.remove(node);
        forget(node);
      }
    } else if (choice < 12) {
      if (TimerNode* any = wheel.pop_any()) {
        forget(any);
      } else {
        FUZZ_CHECK(model.empty());
      }
    } else {
      // A clock that goes back means nothing is due that was not.
      if (choice == 12 && now > 0) now -= static_cast<int64_t>(input.below(1 << 24)) % now;
      if (choice == 13) now = later(now, input.number() >> 1);
      if (choice == 14) now = later(now, input.below(1 << 24));
      // As the loop waits: until what next_deadline() says.
      if (choice == 15 && wheel.next_deadline() > now && wheel.next_deadline() != TimerWheel::kNever) {
        now = wheel.next_deadline();
      }
      while (TimerNode* due = wheel.pop_due(now)) {
        FUZZ_CHECK(!model.empty() && model.begin()->first <= now && model.begin()->second == due);
        forget(due);
      }
      FUZZ_CHECK(model.empty() || model.begin()->first > now);
    }
    FUZZ_CHECK(wheel.size() == model.size());
    FUZZ_CHECK(wheel.empty() == model.empty());
    // Never later than the earliest, or the loop would sleep through it.
    FUZZ_CHECK(model.empty() ? wheel.next_deadline() == TimerWheel::kNever
                             : wheel.next_deadline() <= model.begin()->first);
    size_t visited = 0;
    wheel.visit([&](TimerNode* each) {
      ++visited;
      FUZZ_CHECK(scheduled.contains(each));
      return 0;
    });
    FUZZ_CHECK(visited == model.size());
  }
  return 0;
}
