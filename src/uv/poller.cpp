#include "uv/poller.hpp"

#include <fcntl.h>

#include "uv/failure.hpp"

namespace mainspring::uv {

Poller::Poller(EventLoop& loop, int fd, void* owner, Serve serve)
    : loop_(loop), owner_(owner), serve_(serve), fd_(fd) {}

Poller* Poller::open(EventLoop& loop, int fd, void* owner, Serve serve) {
  loop.own();
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) fail_with_errno("fcntl");
  auto* poller = new Poller(loop, fd, owner, serve);
  const int status = uv_poll_init(loop.native(), &poller->handle_, fd);
  if (status < 0) {
    delete poller;
    fail(status, "uv_poll_init");
  }
  if (!(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags);
  poller->handle_.data = poller;
  return poller;
}

void Poller::watch(int events) {
  if ((events == interest_ && !stopped_by_libuv_) || !loop_.try_own()) return;
  loop_.want_room(interest_ & kWritable, events & kWritable);
  interest_ = events;
  stopped_by_libuv_ = false;
  if (events == 0) {
    uv_poll_stop(&handle_);
  } else {
    uv_poll_start(&handle_, events & kReadable ? events | kEnded : events, on_event);
  }
}

void Poller::close() {
  closing_ = true;
  loop_.want_room(interest_ & kWritable, false);
  interest_ = 0;
  // An abandoned loop is a forked child's, whose set is its parent's as well.
  if (!loop_.try_own()) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), on_close);
}

int Poller::take() {
  queued_ = false;
  const int events = arrived_;
  arrived_ = 0;
  if (closing_) {
    if (released_) delete this;
    return 0;
  }
  // On EPOLLERR libuv stops the handle and reports EBADF. The descriptor is as good as before, and epoll would go on
  // reporting it, so ask again for as long as the owner is interested.
  if (stopped_by_libuv_ && interest_ != 0) watch(interest_);
  return events & (interest_ & kReadable ? interest_ | kEnded : interest_);
}

Poller* Poller::from_handle(uv_handle_t* handle) {
  return handle->type == UV_POLL ? static_cast<Poller*>(handle->data) : nullptr;
}

void Poller::on_event(uv_poll_t* handle, int status, int events) {
  auto* poller = static_cast<Poller*>(handle->data);
  if (status < 0) {
    poller->stopped_by_libuv_ = true;
    events = poller->interest_;
  }
  poller->arrived_ |= events;
  if (!poller->queued_) {
    poller->queued_ = true;
    poller->loop_.arrivals().push_back(poller);
  }
}

void Poller::on_close(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  poller->released_ = true;
  if (!poller->queued_) delete poller;
}

}  // namespace mainspring::uv
