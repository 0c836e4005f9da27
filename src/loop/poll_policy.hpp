// When a busy loop looks for events.
//
// The default loop polls in every turn, which costs a system call a turn. This loop does so as well while anything
// comes from outside, and for kEagerTurns turns after the last event or the last own output, so that short chains of
// `await asyncio.sleep(0)` see their I/O as they do on the default loop. After that it skips polls for at most
// kSkippedTurns turns and for some tens of microseconds (25 to 50 on most machines), then looks once. So an event waits
// at most that much longer than one turn, however long the chain.
//
// One poll is left out while events come as well: after a turn that did nothing but receive. What that turn made ready
// runs in the next one, and the program can have made no event itself meanwhile.
#pragma once

#include <cstdint>

#include "loop/cycle_clock.hpp"

namespace mainspring {

class PollPolicy {
 public:
  static constexpr int kEagerTurns = 16;
  static constexpr int kSkippedTurns = 1024;
  static constexpr int64_t kSkippedTime = kCyclesInTensOfMicroseconds;

  bool eager() const { return quiet_turns_ < kEagerTurns; }

  // Whether a turn with callbacks ready polls. `now()` gives cycles() and is read only when it matters.
  template <typename Clock>
  bool should_poll(Clock now) {
    if (only_received_) {
      only_received_ = false;
      return false;
    }
    if (eager() || ++skipped_ >= kSkippedTurns) return true;
    return now() - last_poll_ >= kSkippedTime;
  }

  void polled(bool found, int64_t now) {
    quiet_turns_ = found ? 0 : quiet_turns_ + (quiet_turns_ < kEagerTurns);
    skipped_ = 0;
    last_poll_ = now;
    only_received_ = false;
  }

  void expect_events() {
    quiet_turns_ = 0;
    only_received_ = false;
  }
  // The turn that ends has served what the last poll found, by receiving it, and has neither sent nor registered
  // anything.
  void only_received() { only_received_ = true; }

  void expect_nothing() { quiet_turns_ = kEagerTurns; }

 private:
  int quiet_turns_ = 0;
  int skipped_ = 0;
  int64_t last_poll_ = 0;
  bool only_received_ = false;
};

}  // namespace mainspring
