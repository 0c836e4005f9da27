// How many of the arrivals of a poll are served before what they have made ready runs.
//
// What is received for a thousand connections has left the processor's cache, and with it what each connection consists
// of, when their tasks come. So the rest waits for a turn once those that were served have received kBytes or made
// kCallbacks ready. The order of calls is that of a kernel that reports fewer at a time. Only what arrivals themselves
// do counts: each turn serves some, however busy callbacks are.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring {

class ArrivalBatch {
 public:
  static constexpr int64_t kBytes = 1024 * 1024;
  static constexpr size_t kCallbacks = 64;

  // Whether another arrival waits for the next turn.
  bool full() const { return callbacks_ > 0 && (bytes_ >= static_cast<uint64_t>(kBytes) || callbacks_ >= kCallbacks); }

  // One has been served: it has received so much and made so many callbacks ready.
  void add(uint64_t bytes, size_t callbacks) {
    bytes_ += bytes;
    callbacks_ += callbacks;
  }

 private:
  uint64_t bytes_ = 0;
  size_t callbacks_ = 0;
};

}  // namespace mainspring
