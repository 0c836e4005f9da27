// One descriptor that a loop watches, and whom to tell.
//
// The owner of the descriptor owns the Poller: it calls open() once, watch() as its interest changes and close() before
// it closes the descriptor. Only those of Waits are for the program's descriptors, which it may close first. After
// close() nothing more is delivered; the memory goes when the loop has let go of the Poller and has no arrival of it
// left to serve.
//
// What watches it is chosen by open(): the loop's own epoll set, or libuv where there is none; libuv always, for what
// the program registers itself.
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

  enum class Told {
    kWhileReady,  // as long as a descriptor is readable or writable
    // Once for what arrives, if the owner says with emptied() that it has taken all of it. EAGAIN says so of
    // everything, a short read only of TCP: one of a UNIX socket ends with a message that carries descriptors, and one
    // of a pipe may end with a packet. A connection that receives urgent data is kWhileReady from then on.
    kOfArrivals,
  };

  // Asks for `events`, as watch() does. Throws std::system_error, for example EPERM for a regular file, which epoll
  // cannot watch. Leaves the descriptor's blocking mode as it was.
  static Poller* open(EventLoop& loop, int fd, void* owner, Serve serve, int events, Told told = Told::kWhileReady);

  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Asks for `events` (kReadable, kWritable, both or 0). No system call happens before the loop polls.
  virtual void watch(int events) = 0;
  virtual void close() = 0;

  int interest() const { return interest_; }
  int fd() const { return fd_; }

  // The owner has taken all that had arrived.
  virtual void emptied() {}

  // Whether what is watched is a descriptor of the Poller's own, since another Poller has this one. As long as it does,
  // the file stays open.
  virtual bool is_copy() const { return false; }

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

 protected:
  Poller(EventLoop& loop, int fd, void* owner, Serve serve) : loop_(loop), owner_(owner), serve_(serve), fd_(fd) {}
  virtual ~Poller() = default;

  void set_interest(int events);
  void arrived(int events);

  // Nothing refers to it any more but perhaps an arrival.
  void release();

  // The arrival has been taken from a Poller that is open.
  virtual void taken() {}

  bool closing() const { return closing_; }
  void begin_closing();

  EventLoop& loop_;

 private:
  void* owner_;
  Serve serve_;
  int fd_;
  int interest_ = 0;
  int arrived_ = 0;
  bool queued_ = false;
  bool closing_ = false;
  bool released_ = false;
  bool may_wait_ = false;
};

}  // namespace mainspring::uv
