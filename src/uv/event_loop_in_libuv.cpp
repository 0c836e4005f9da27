// An EventLoop that waits in libuv, elsewhere than on Linux.
#include <poll.h>

#include "uv/event_loop.hpp"
#include "uv/libuv_poller.hpp"

namespace mainspring::uv {

Poller* Poller::open(EventLoop& loop, int fd, void* owner, Serve serve, int events, Told) {
  Poller* poller = LibuvPoller::open(loop, fd, owner, serve);
  poller->watch(events);
  return poller;
}

void EventLoop::open() { alarm_.emplace(&loop_); }

// libuv closes and registers its own.
void EventLoop::close_pollers() {}

void EventLoop::register_anew() {}

void EventLoop::poll() {
  if (try_own()) uv_run(&loop_, UV_RUN_NOWAIT);
}

void EventLoop::prepare() {}

void EventLoop::block() {
  if (try_own()) uv_run(&loop_, UV_RUN_ONCE);
}

void EventLoop::collect() {}

bool EventLoop::has_events() {
  if (uv_backend_timeout(&loop_) == 0) return true;
  pollfd events{uv_backend_fd(&loop_), POLLIN, 0};
  return ::poll(&events, 1, 0) != 0;
}

}  // namespace mainspring::uv
