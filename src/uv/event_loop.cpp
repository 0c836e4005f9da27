// What is the same wherever an EventLoop waits.
#include "uv/event_loop.hpp"

#include <pthread.h>
#include <unistd.h>

#include <system_error>

#include "uv/failure.hpp"
#include "uv/libuv_poller.hpp"

namespace mainspring::uv {

namespace {

unsigned forks = 0;

unsigned count_forks() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { ++forks; });
  check(-registered, "pthread_atfork");
  return forks;
}

void close_handle(uv_handle_t* handle, void*) {
  if (uv_is_closing(handle)) return;
  if (LibuvPoller* poller = LibuvPoller::from_handle(handle)) {
    poller->close();
  } else {
    uv_close(handle, nullptr);
  }
}

}  // namespace

EventLoop::EventLoop() : forks_(count_forks()) {
  check(uv_loop_init(&loop_), "uv_loop_init");
  try {
    open();
  } catch (...) {
    close();
    throw;
  }
}

EventLoop::~EventLoop() {
  if (abandoned_) {
    close_pollers();
    ::close(uv_backend_fd(&loop_));
  } else {
    close();
  }
  for (Poller* poller : arrivals_) poller->take();
}

bool EventLoop::forked() const { return forks != forks_; }

void EventLoop::take_over() {
  alarm_->renew();
  if (renew_) renew_(owner_);
  check(uv_loop_fork(&loop_), "uv_loop_fork");
  register_anew();
  forks_ = forks;
}

bool EventLoop::try_own() noexcept {
  try {
    own();
  } catch (const std::system_error&) {
    // No descriptor left: it is tried again.
  }
  return !forked();
}

void EventLoop::close() {
  close_pollers();
  uv_walk(&loop_, close_handle, nullptr);
  // A Poller with an arrival that nobody took waits for it.
  while (uv_loop_close(&loop_) == UV_EBUSY) uv_run(&loop_, UV_RUN_NOWAIT);
}

}  // namespace mainspring::uv
