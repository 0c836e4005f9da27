// How many of the arrivals of a poll are served before what they have made ready runs.
//
// What is received for a thousand connections has left the processor's cache, and with it what each connection consists
// of, when their tasks come. So the rest of a turn waits for the next one, in its order, once the arrivals that were
// served have received kBytes or made kCallbacks ready. The order of calls is that of a kernel that reports fewer at a
// time. The next turn does not poll: what it is to serve has been found. Once a timer is due, no more of them wait: it
// comes after all of them, since they may cancel it, and not after the work of all of them.
//
// The turns are cut only as long as they consist of arrivals and what these have made ready. With other work in
// between, the last arrival would wait for more of it with each cut.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring {

class ArrivalBatch {
 public:
  static constexpr int64_t kBytes = 128 * 1024;
  static constexpr size_t kCallbacks = 64;

  // A turn comes to its first arrival, after so many other things.
  void begin(size_t others) {
    cuts_ = others <= callbacks_;
    bytes_ = 0;
    callbacks_ = 0;
  }

  // A turn without arrivals.
  void none() { callbacks_ = 0; }

  // Whether the next arrival, and what comes after it, waits for the next turn.
  bool full() const {
    return cuts_ && callbacks_ > 0 && (bytes_ >= static_cast<uint64_t>(kBytes) || callbacks_ >= kCallbacks);
  }

  // One has been served: it has received so much and made so many callbacks ready.
  void add(uint64_t bytes, size_t callbacks) {
    bytes_ += bytes;
    callbacks_ += callbacks;
  }

 private:
  bool cuts_ = false;
  uint64_t bytes_ = 0;
  size_t callbacks_ = 0;
};

}  // namespace mainspring
