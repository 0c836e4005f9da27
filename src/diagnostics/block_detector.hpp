// BlockDetector: tells from looks at a loop's beat, now and then, when the loop is blocked and when no longer. Knows
// neither Python nor threads.
//
// The time of a block counts from the first look that saw it, so it is never said to be longer than it was. Nor does
// much count of the time between two looks that are far apart: then the watching thread did not run either, because the
// process was stopped or the machine is overloaded, and the loop is not to blame.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mainspring {

class BlockDetector {
 public:
  enum class Found { kNothing, kBlocked, kOver };

  static constexpr int kLooks = 8;  // in the time of a threshold

  // In nanoseconds, as all times here.
  BlockDetector(int64_t threshold, uint64_t beat, int64_t now)
      : threshold_(threshold), beat_(beat), since_(now), looked_at_(now) {}

  // How long to wait before the next look.
  int64_t interval() const { return std::clamp(threshold_ / kLooks, kShortest, kLongest); }

  // kBlocked once for each block: beat() and since() are the block's. kOver once after that, when it has ended: they
  // are still the block's until the next look.
  Found look(uint64_t beat, bool busy, int64_t now) {
    const int64_t passed = std::min(now - looked_at_, 2 * interval());
    looked_at_ = now;
    if (found_ && beat != beat_) {
      found_ = false;
      return Found::kOver;
    }
    if (beat != beat_ || !busy) {
      beat_ = beat;
      since_ = now;
      seen_ = 0;
      return Found::kNothing;
    }
    seen_ += passed;
    if (found_ || seen_ < threshold_) return Found::kNothing;
    found_ = true;
    return Found::kBlocked;
  }

  uint64_t beat() const { return beat_; }
  int64_t since() const { return since_; }

  // Whether there is a block that was found and has not been found to be over.
  bool blocked() const { return found_; }

 private:
  static constexpr int64_t kShortest = 200'000;
  static constexpr int64_t kLongest = 100'000'000;

  int64_t threshold_;
  uint64_t beat_;
  int64_t since_;
  int64_t looked_at_;
  int64_t seen_ = 0;
  bool found_ = false;
};

}  // namespace mainspring
