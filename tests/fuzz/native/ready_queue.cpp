// ReadyQueue against a std::deque, through the sizes at which it grows and gives memory back.
#include <deque>
#include <utility>

#include "input.hpp"
#include "loop/ready_queue.hpp"

using mainspring::ReadyItem;
using mainspring::ReadyQueue;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  ReadyQueue queue;
  std::deque<std::pair<uintptr_t, unsigned>> model;
  uintptr_t next = 4;
  // Enough to pass every size several times, and not so much that an input takes long.
  size_t work = 25'000;
  const auto push = [&](unsigned kind) {
    queue.push(ReadyItem(reinterpret_cast<void*>(next), kind));
    model.emplace_back(next, kind);
    next += 4;
  };
  const auto pop = [&] {
    const ReadyItem item = queue.pop();
    FUZZ_CHECK(reinterpret_cast<uintptr_t>(item.as<void>()) == model.front().first);
    FUZZ_CHECK(item.kind() == model.front().second);
    model.pop_front();
  };
  while (!input.empty() && work > 0) {
    const uint64_t choice = input.below(64);
    const unsigned kind = static_cast<unsigned>(input.below(ReadyItem::kKinds));
    size_t count = choice == 0 ? input.below(9000) : 1 + input.below(70);
    count = count < work ? count : work;
    work -= count;
    if (choice < 36) {
      for (size_t i = 0; i < count; ++i) push(kind);
    } else if (choice < 63) {
      for (size_t i = 0; i < count && !model.empty(); ++i) pop();
    } else {
      while (!model.empty()) pop();
      FUZZ_CHECK(queue.capacity() <= 4096);
    }
    FUZZ_CHECK(queue.size() == model.size());
    FUZZ_CHECK(queue.empty() == model.empty());
    FUZZ_CHECK(queue.capacity() >= queue.size());
    for (size_t i = 0; i < model.size(); i += 1 + model.size() / 16) {
      FUZZ_CHECK(reinterpret_cast<uintptr_t>(queue.at(i).as<void>()) == model[i].first);
    }
  }
  return 0;
}
