// A Poller that libuv watches (uv_poll_t).
#pragma once

#include <uv.h>

#include "uv/poller.hpp"

namespace mainspring::uv {

class LibuvPoller final : public Poller {
 public:
  // Watches nothing yet. Throws std::system_error. Leaves the descriptor's blocking mode as it was (uv_poll_init would
  // make it non-blocking).
  static LibuvPoller* open(EventLoop& loop, int fd, void* owner, Serve serve);

  void watch(int events) override;
  void close() override;
  bool is_copy() const override { return watched_ != fd(); }

  // The Poller behind a handle, nullptr for a handle that is not one of ours.
  static LibuvPoller* from_handle(uv_handle_t* handle);

 private:
  using Poller::Poller;

  void taken() override;
  static void on_event(uv_poll_t* handle, int status, int events);
  static void on_close(uv_handle_t* handle);

  uv_poll_t handle_;
  int watched_ = -1;
  bool stopped_by_libuv_ = false;
};

}  // namespace mainspring::uv
