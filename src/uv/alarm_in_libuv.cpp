// An Alarm whose approach is libuv's timer.
#include <algorithm>

#include "uv/alarm.hpp"

namespace mainspring::uv {

Alarm::Alarm(uv_loop_t* loop) : near_(loop) {
  uv_timer_init(loop, &approach_);
  // The loop's data, not the handle's, as of all handles that are not a Poller's.
  approach_.data = nullptr;
  loop->data = this;
}

void Alarm::set(int64_t deadline, int64_t now) {
  const int64_t distance = deadline - now;
  if (distance < kNear) {
    set_near(deadline, now);
    return;
  }
  // An approach that ends a little too early is left alone: servers move their nearest timeout on each request.
  const int64_t target = deadline - kMargin;
  if (approach_at_ <= target && approach_at_ > now && target - approach_at_ < distance / 2) return;
  const int64_t wait = std::min(distance - kMargin, kFarthest);
  uv_update_time(approach_.loop);
  uv_timer_start(&approach_, on_approach, static_cast<uint64_t>(wait / kMillisecond), 0);
  approach_at_ = now + wait;
}

void Alarm::clear() {
  if (approach_at_ != kNone) {
    uv_timer_stop(&approach_);
    approach_at_ = kNone;
  }
  clear_near();
}

void Alarm::on_approach(uv_timer_t* timer) {
  static_cast<Alarm*>(timer->loop->data)->approach_at_ = kNone;
  // Before libuv 1.45, UV_RUN_ONCE runs due timers first and then waits without a limit; a stopped loop does not wait.
  uv_stop(timer->loop);
}

}  // namespace mainspring::uv
