#include "uv/alarm.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include "uv/descriptor.hpp"

namespace mainspring::uv {

namespace {

constexpr int64_t kMillisecond = 1'000'000;
constexpr int64_t kSecond = 1'000 * kMillisecond;

// Below this distance the timer descriptor is used.
constexpr int64_t kNear = 3 * kMillisecond;

// libuv's clock and epoll round by up to a millisecond each, so the approach ends that much before the deadline.
constexpr int64_t kMargin = 2 * kMillisecond;

// The longest single approach; the loop then looks again.
constexpr int64_t kFarthest = 24 * 3600 * kSecond;

int make_descriptor() {
  const int descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (descriptor < 0) fail_with_errno("timerfd_create");
  return descriptor;
}

}  // namespace

Alarm::Alarm(uv_loop_t* loop) : descriptor_(make_descriptor()) {
  const int status = uv_poll_init(loop, &poll_, descriptor_);
  if (status < 0) {
    ::close(descriptor_);
    fail(status, "uv_poll_init");
  }
  uv_timer_init(loop, &approach_);
  // The loop's data, not the handles': a uv_poll_t with data is a Poller.
  poll_.data = nullptr;
  approach_.data = nullptr;
  loop->data = this;
  uv_poll_start(&poll_, UV_READABLE, on_descriptor);
}

void Alarm::renew() {
  replace_descriptor(descriptor_, make_descriptor());
  descriptor_at_ = kNone;
}

Alarm::~Alarm() { ::close(descriptor_); }

void Alarm::set(int64_t deadline, int64_t now) {
  const int64_t distance = deadline - now;
  if (distance < kNear) {
    if (deadline != descriptor_at_) set_descriptor(deadline);
    return;
  }
  // An approach that ends a little too early is left alone: servers move their nearest timeout on each request.
  const int64_t target = deadline - kMargin;
  if (approach_at_ <= target && approach_at_ > now && target - approach_at_ < distance / 2) return;
  const int64_t wait = distance - kMargin < kFarthest ? distance - kMargin : kFarthest;
  uv_update_time(approach_.loop);
  uv_timer_start(&approach_, on_approach, static_cast<uint64_t>(wait / kMillisecond), 0);
  approach_at_ = now + wait;
}

void Alarm::clear() {
  if (approach_at_ != kNone) {
    uv_timer_stop(&approach_);
    approach_at_ = kNone;
  }
  if (descriptor_at_ != kNone) set_descriptor(kNone);
}

void Alarm::set_descriptor(int64_t deadline) {
  itimerspec spec{};
  if (deadline != kNone) {
    spec.it_value.tv_sec = deadline / kSecond;
    spec.it_value.tv_nsec = deadline % kSecond;
    // Zero would disarm it.
    if (deadline <= 0) spec.it_value.tv_nsec = 1;
  }
  timerfd_settime(descriptor_, TFD_TIMER_ABSTIME, &spec, nullptr);
  descriptor_at_ = deadline;
}

void Alarm::on_approach(uv_timer_t* timer) {
  static_cast<Alarm*>(timer->loop->data)->approach_at_ = kNone;
  // Before libuv 1.45, UV_RUN_ONCE runs due timers first and then waits without a limit; a stopped loop does not wait.
  uv_stop(timer->loop);
}

void Alarm::on_descriptor(uv_poll_t* poll, int, int) {
  auto* alarm = static_cast<Alarm*>(poll->loop->data);
  uint64_t expirations;
  [[maybe_unused]] const ssize_t size = ::read(alarm->descriptor_, &expirations, sizeof expirations);
  alarm->descriptor_at_ = kNone;
}

}  // namespace mainspring::uv
