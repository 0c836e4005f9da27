// The uv_loop_t of one asyncio loop.
//
// Owned by Loop. libuv's callbacks only note what happened: a Poller whose descriptor is ready goes to
// `arrivals`, in the order in which the kernel reported it, and the loop serves it once libuv has returned. So no
// Python code ever runs inside uv_run, and uv_run can be called without the GIL.
#pragma once

#include <uv.h>

#include <optional>
#include <vector>

#include "uv/alarm.hpp"

namespace mainspring::uv {

class Poller;

class EventLoop {
 public:
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Closes every handle that is still open and the uv_loop_t; once abandoned, only the descriptors.
  ~EventLoop();

  // Reports what is ready now.
  void poll();

  // Waits until something is ready or the Alarm rang.
  void wait();

  // Whether wait() would return at once, or has something new to watch. Takes nothing.
  bool has_events();

  // Whether anybody wants to know that a descriptor takes more.
  bool awaits_room() const { return room_wanted_ > 0; }
  void want_room(bool before, bool now) { room_wanted_ += now - before; }

  // Whether this is a forked child of the process that made it, or took it over. It shares the epoll set and other
  // descriptors with its parent, so what it unregisters is gone for both. Costs no system call.
  bool forked() const;

  // In a forked child: makes descriptors of its own in the place of those that it shares, and registers everything
  // there. `renew` does that for the owner's descriptors. Throws std::system_error.
  void own() {
    if (forked() && !abandoned_) [[unlikely]]
      take_over();
  }
  void renew_with(void* owner, void (*renew)(void* owner)) {
    owner_ = owner;
    renew_ = renew;
  }

  // The same, without an exception: false when there is nothing to work with.
  bool try_own() noexcept;

  // In a forked child that only closes: from here on nothing is unregistered.
  void abandon() { abandoned_ = forked(); }

  Alarm& alarm() { return *alarm_; }
  std::vector<Poller*>& arrivals() { return arrivals_; }
  uv_loop_t* native() { return &loop_; }

 private:
  void close();
  void take_over();

  uv_loop_t loop_;
  std::optional<Alarm> alarm_;
  unsigned forks_;  // of this process and its ancestors, when the loop was made
  bool abandoned_ = false;
  int room_wanted_ = 0;  // by so many Pollers
  void* owner_ = nullptr;
  void (*renew_)(void* owner) = nullptr;
  std::vector<Poller*> arrivals_;
};

}  // namespace mainspring::uv
