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

  // Closes every handle that is still open and the uv_loop_t. In a forked child it only closes the descriptors:
  // unregistering would change the epoll set that the child shares with its parent.
  ~EventLoop();

  // Reports what is ready now.
  void poll();

  // Waits until something is ready or the Alarm rang.
  void wait();

  // Whether this is a forked child of the process that made it. What is unregistered there is gone for the parent too,
  // because both share one epoll set. Costs no system call.
  bool forked() const;

  Alarm& alarm() { return *alarm_; }
  std::vector<Poller*>& arrivals() { return arrivals_; }
  uv_loop_t* native() { return &loop_; }

 private:
  void close();

  uv_loop_t loop_;
  std::optional<Alarm> alarm_;
  unsigned forks_;  // of this process and its ancestors, when the loop was made
  std::vector<Poller*> arrivals_;
};

}  // namespace mainspring::uv
