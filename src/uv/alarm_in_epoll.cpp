// An Alarm for a wait whose limit is an argument, so that a far deadline costs no system call.
#include <algorithm>

#include "uv/alarm.hpp"

namespace mainspring::uv {

namespace {

// To wake less often, the kernel may end a wait later by a thousandth of its length, or by five where the process is
// niced. So the approach ends that much earlier, too.
constexpr int64_t kSlack = 128;

}  // namespace

void Alarm::set(int64_t deadline, int64_t now) {
  const int64_t distance = deadline - now;
  if (distance < kNear) {
    timeout_ = -1;
    set_near(deadline, now);
    return;
  }
  timeout_ = static_cast<int>(std::min(distance - kMargin - distance / kSlack, kFarthest) / kMillisecond);
}

void Alarm::clear() {
  timeout_ = -1;
  clear_near();
}

}  // namespace mainspring::uv
