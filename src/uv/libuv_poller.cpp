#include "uv/libuv_poller.hpp"

#include <fcntl.h>

#include "uv/failure.hpp"

namespace mainspring::uv {

LibuvPoller* LibuvPoller::open(EventLoop& loop, int fd, void* owner, Serve serve) {
  loop.own();
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) fail_with_errno("fcntl");
  const int watched = loop.libuv_claims().take(fd);
  auto* poller = new LibuvPoller(loop, fd, owner, serve);
  poller->watched_ = watched;
  const int status = uv_poll_init(loop.native(), &poller->handle_, watched);
  if (status < 0) {
    loop.libuv_claims().let_go(fd, watched);
    delete poller;
    fail(status, "uv_poll_init");
  }
  if (!(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags);
  poller->handle_.data = poller;
  return poller;
}

void LibuvPoller::watch(int events) {
  if ((events == interest() && !stopped_by_libuv_) || !loop_.try_own()) return;
  set_interest(events);
  stopped_by_libuv_ = false;
  if (events == 0) {
    uv_poll_stop(&handle_);
  } else {
    uv_poll_start(&handle_, events & kReadable ? events | kEnded : events, on_event);
  }
  loop_.libuv_changed();
}

void LibuvPoller::close() {
  begin_closing();
  // An abandoned loop is a forked child's, whose set is its parent's as well.
  if (loop_.try_own()) {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle_), on_close);
    loop_.libuv_changed();
  }
  loop_.libuv_claims().let_go(fd(), watched_);
}

// On EPOLLERR libuv stops the handle and reports EBADF. The descriptor is as good as before, and epoll would go on
// reporting it, so ask again for as long as the owner is interested.
void LibuvPoller::taken() {
  if (stopped_by_libuv_ && interest() != 0) watch(interest());
}

LibuvPoller* LibuvPoller::from_handle(uv_handle_t* handle) {
  return handle->type == UV_POLL ? static_cast<LibuvPoller*>(handle->data) : nullptr;
}

void LibuvPoller::on_event(uv_poll_t* handle, int status, int events) {
  auto* poller = static_cast<LibuvPoller*>(handle->data);
  if (status < 0) {
    poller->stopped_by_libuv_ = true;
    events = poller->interest();
  }
  poller->arrived(events);
}

void LibuvPoller::on_close(uv_handle_t* handle) { static_cast<LibuvPoller*>(handle->data)->release(); }

}  // namespace mainspring::uv
