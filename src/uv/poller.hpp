// One descriptor watched by libuv (uv_poll_t), and whom to tell.
//
// The owner of the descriptor owns the Poller: it calls open() once, watch() as its interest changes and close() before
// it closes the descriptor. After close() nothing more is delivered; the memory goes when libuv has let go of the
// handle and the loop has no arrival of it left to serve.
#pragma once

#include <uv.h>

#include "uv/event_loop.hpp"

namespace mainspring::uv {

class Poller {
 public:
  // Serves the events of `owner`. Returns -1 with a Python exception set only for what must leave run_forever.
  using Serve = int (*)(void* owner, int events);

  static constexpr int kReadable = UV_READABLE;
  static constexpr int kWritable = UV_WRITABLE;

  // Told with kReadable: the peer of a socket has sent all that it will send.
  static constexpr int kEnded = UV_DISCONNECT;

  // Throws std::system_error, for example EPERM for a regular file, which epoll cannot watch. Leaves the descriptor's
  // blocking mode as it was (uv_poll_init would make it non-blocking).
  static Poller* open(EventLoop& loop, int fd, void* owner, Serve serve);

  // Asks for `events` (kReadable, kWritable, both or 0). No system call happens before the loop polls.
  void watch(int events);

  int interest() const { return interest_; }
  int fd() const { return fd_; }
  void close();

  // Takes the events that arrived since the last call; 0 when the Poller has been closed meanwhile, which also frees
  // it. To be called once for each arrival.
  int take();

  // Whether what has arrived may be served in a later turn. Not unless the owner says so: in between callbacks run that
  // may take what had arrived, or close the descriptor.
  void let_wait() { may_wait_ = true; }
  bool may_wait() const { return may_wait_; }

  // Forgets that these events have arrived; if they still hold they arrive again.
  void forget_arrived(int events) { arrived_ &= ~events; }

  int serve(int events) { return serve_(owner_, events); }

  // The Poller behind a handle, nullptr for a handle that is not one of ours.
  static Poller* from_handle(uv_handle_t* handle);

 private:
  Poller(EventLoop& loop, int fd, void* owner, Serve serve);
  ~Poller() = default;

  static void on_event(uv_poll_t* handle, int status, int events);
  static void on_close(uv_handle_t* handle);

  uv_poll_t handle_;
  EventLoop& loop_;
  void* owner_;
  Serve serve_;
  int fd_;
  int interest_ = 0;
  int arrived_ = 0;
  bool queued_ = false;
  bool closing_ = false;
  bool released_ = false;
  bool stopped_by_libuv_ = false;
  bool may_wait_ = false;
};

}  // namespace mainspring::uv
