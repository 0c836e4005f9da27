#include "uv/event_loop.hpp"

#include <pthread.h>
#include <unistd.h>

#include "uv/failure.hpp"
#include "uv/poller.hpp"

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
  if (Poller* poller = Poller::from_handle(handle)) {
    poller->close();
  } else {
    uv_close(handle, nullptr);
  }
}

}  // namespace

EventLoop::EventLoop() : forks_(count_forks()) {
  check(uv_loop_init(&loop_), "uv_loop_init");
  try {
    alarm_.emplace(&loop_);
  } catch (...) {
    close();
    throw;
  }
}

EventLoop::~EventLoop() {
  if (forked()) {
    ::close(uv_backend_fd(&loop_));
  } else {
    close();
  }
}

bool EventLoop::forked() const { return forks != forks_; }

void EventLoop::poll() { uv_run(&loop_, UV_RUN_NOWAIT); }

void EventLoop::wait() { uv_run(&loop_, UV_RUN_ONCE); }

void EventLoop::close() {
  uv_walk(&loop_, close_handle, nullptr);
  // A Poller with an arrival that nobody took waits for it.
  while (uv_loop_close(&loop_) == UV_EBUSY) uv_run(&loop_, UV_RUN_NOWAIT);
  for (Poller* poller : arrivals_) poller->take();
  arrivals_.clear();
}

}  // namespace mainspring::uv
