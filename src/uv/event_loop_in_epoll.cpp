// An EventLoop that waits in an epoll set of its own, and runs libuv when libuv's set is one of the descriptors that
// are ready.
#include <poll.h>

#include <utility>

#include "uv/event_loop.hpp"

namespace mainspring::uv {

namespace {

// What epoll has refused is tried again after so many milliseconds.
constexpr int kAgain = 10;

}  // namespace

void EventLoop::open() {
  alarm_.emplace();
  set_.add_alarm(alarm_->descriptor());
  set_.add_libuv(uv_backend_fd(&loop_));
}

void EventLoop::close_pollers() { set_.close_all(); }

void EventLoop::register_anew() {
  set_.renew(uv_backend_fd(&loop_));
  libuv_changed_ = true;
}

void EventLoop::poll() {
  if (!try_own()) return;
  apply();
  set_.wait(0);
  collect();
  // What is new there has not been asked for yet.
  if (libuv_changed_) run_libuv();
}

void EventLoop::prepare() {
  if (!try_own()) return;
  apply();
  if (libuv_changed_) run_libuv();
}

void EventLoop::apply() {
  tries_again_ = !set_.apply();
  arrivals_.reserve(set_.size());
}

void EventLoop::run_libuv() {
  libuv_changed_ = false;
  uv_run(&loop_, UV_RUN_NOWAIT);
}

void EventLoop::block() {
  if (forked()) return;
  int timeout = arrivals_.empty() ? alarm_->timeout() : 0;
  if (tries_again_ && (timeout < 0 || timeout > kAgain)) timeout = kAgain;
  set_.wait(timeout);
}

void EventLoop::collect() {
  set_.report([this](int fd) {
    if (fd == alarm_->descriptor()) {
      alarm_->rang();
    } else {
      run_libuv();
    }
  });
}

bool EventLoop::has_events() {
  if (!arrivals_.empty()) return true;
  pollfd events{set_.descriptor(), POLLIN, 0};
  return ::poll(&events, 1, 0) != 0;
}

}  // namespace mainspring::uv
