// An Alarm for a wait whose limit is an argument, so that a far deadline costs no system call.
#include <algorithm>

#include "uv/alarm.hpp"

namespace mainspring::uv {

namespace {

constexpr int64_t kMillisecond = 1'000'000;

// Below this distance the NearAlarm rings.
constexpr int64_t kNear = 3 * kMillisecond;

// The kernel may end a wait later, by a millisecond and, to wake less often, by a thousandth of its length, or by five
// where the process is niced. So the approach ends that much before the deadline.
constexpr int64_t kMargin = 2 * kMillisecond;
constexpr int64_t kSlack = 128;

// The longest single approach; the loop then looks again.
constexpr int64_t kFarthest = 24 * 3600 * 1'000 * kMillisecond;

}  // namespace

void Alarm::set(int64_t deadline, int64_t now) {
  const int64_t distance = deadline - now;
  if (distance < kNear) {
    timeout_ = -1;
    if (deadline != near_.at()) near_.set(deadline, now);
    return;
  }
  timeout_ = static_cast<int>(std::min(distance - kMargin - distance / kSlack, kFarthest) / kMillisecond);
}

void Alarm::clear() {
  timeout_ = -1;
  if (near_.at() != kNone) near_.clear();
}

}  // namespace mainspring::uv
