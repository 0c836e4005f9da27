// What one asyncio loop waits in: libuv's loop, and on Linux the loop's own epoll set around it.
//
// Owned by Loop. Waiting only notes what happened: a Poller whose descriptor is ready goes to `arrivals`, in the order
// in which the kernel reported it, and the loop serves it afterwards. So no Python code ever runs inside, and block()
// can be called without the GIL.
#pragma once

#include <uv.h>

#include <optional>
#include <vector>

#include "system/portable.hpp"
#include "uv/alarm.hpp"
#include "uv/claims.hpp"
#if !MAINSPRING_PORTABLE
#include "uv/epoll_set.hpp"
#endif

namespace mainspring::uv {

class Poller;

class EventLoop {
 public:
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Closes every handle that is still open and the uv_loop_t; once abandoned, only the descriptors.
  ~EventLoop();

  // Reports what is ready now. Throws std::system_error, as the next three do.
  void poll();

  // Waits until something is ready or the Alarm rang. In three steps, of which the second needs no GIL.
  void wait() {
    prepare();
    block();
    collect();
  }
  void prepare();
  void block();
  void collect();

  // Whether block(), once prepared, would return at once. Takes nothing, and needs no GIL.
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

  // Of libuv's own set.
  Claims& libuv_claims() { return libuv_claims_; }

#if MAINSPRING_PORTABLE
  void libuv_changed() {}
#else
  EpollSet& set() { return set_; }

  // libuv has something new to do before anybody waits for it.
  void libuv_changed() { libuv_changed_ = true; }
#endif

 private:
  void open();
  void close();
  void close_pollers();
  void take_over();
  void register_anew();

  uv_loop_t loop_;
  std::optional<Alarm> alarm_;
  unsigned forks_;  // of this process and its ancestors, when the loop was made
  bool abandoned_ = false;
  int room_wanted_ = 0;  // by so many Pollers
  void* owner_ = nullptr;
  void (*renew_)(void* owner) = nullptr;
  std::vector<Poller*> arrivals_;
  Claims libuv_claims_;
#if !MAINSPRING_PORTABLE
  void apply();
  void run_libuv();

  EpollSet set_;
  bool libuv_changed_ = false;
  bool tries_again_ = false;  // what epoll has refused
#endif
};

}  // namespace mainspring::uv
