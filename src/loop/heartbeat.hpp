// Heartbeat: what a Loop tells the watchdogs that watch it about what it is doing just now.
//
// Watchdogs read the beat in threads of their own, without the GIL. It is a number that changes with everything the
// loop serves: odd while the loop is busy, even while it waits in the kernel or does not run. So a beat that is odd and
// stays the same is a loop that is blocked. Everything else here is touched with the GIL held.
//
// Made for a Loop by its first watchdog; owned by both, because either may go first.
#pragma once

#include <atomic>
#include <cstdint>

#include "loop/clock.hpp"
#include "python/ref.hpp"

namespace mainspring {

class Loop;

class Heartbeat {
 public:
  explicit Heartbeat(Loop* owner) : loop(owner) {}
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // --- the loop's thread -------------------------------------------------------------------------------------------

  // The loop begins to serve something, or ends to wait: `item` is the Handle or the transport, where there is one
  // (borrowed until served()), `fd` the descriptor that is ready.
  void busy(PyObject* item = nullptr, int fd = -1) {
    const uint64_t beat = next();
    object = item;
    descriptor = fd;
    beat_.store((beat | 1) + 2, std::memory_order_relaxed);
  }

  // It has been served; if it was a Handle, `callback` is what that called. The beat stays until the next item: sending
  // what was written, and what signal handlers do, belongs to the last one.
  void served(PyObject* callback) {
    object = nullptr;
    descriptor = -1;
    const uint64_t beat = beat_.load(std::memory_order_relaxed);
    if (suspect_.load(std::memory_order_relaxed) == beat && shown_ != beat) [[unlikely]]
      callback_ = Ref::borrow(callback);
  }

  // The loop begins to wait, or ends to run.
  void idle() {
    const uint64_t beat = next();
    object = nullptr;
    descriptor = -1;
    beat_.store((beat | 1) + 1, std::memory_order_relaxed);
  }

  // --- the watchdogs -----------------------------------------------------------------------------------------------

  uint64_t beat() const { return beat_.load(std::memory_order_relaxed); }
  static bool is_busy(uint64_t beat) { return beat & 1; }

  // Has the loop note when this beat ends, and what it was. Needs no GIL.
  void suspect(uint64_t beat) { suspect_.store(beat, std::memory_order_relaxed); }

  // It has been said what this beat is, so the loop need not keep that.
  void show(uint64_t beat) { shown_ = beat; }

  // When a suspected beat ended, in ns of monotonic_ns(); 0 when that was not noted, or others have been since.
  int64_t ended_at(uint64_t beat) const { return ended_beat_ == beat ? ended_at_ : 0; }

  // What it called, if it was a Handle's callback. nullptr without an exception when that is not known.
  Ref take_callback(uint64_t beat) { return ended_beat_ == beat ? std::move(callback_) : Ref(); }

  // Nobody watches any more.
  void forget() {
    suspect_.store(0, std::memory_order_relaxed);
    callback_.reset();
  }

  Loop* loop;  // nullptr when it is gone
  int watchdogs = 0;
  PyObject* object = nullptr;
  int descriptor = -1;

 private:
  uint64_t next() {
    const uint64_t beat = beat_.load(std::memory_order_relaxed);
    if (suspect_.load(std::memory_order_relaxed) == beat) [[unlikely]] {
      ended_beat_ = beat;
      ended_at_ = monotonic_ns();
    }
    return beat;
  }

  std::atomic<uint64_t> beat_ = 2;
  std::atomic<uint64_t> suspect_ = 0;
  uint64_t shown_ = 0;
  uint64_t ended_beat_ = 0;
  int64_t ended_at_ = 0;
  Ref callback_;
};

}  // namespace mainspring
