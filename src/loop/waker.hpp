// Ends the loop's wait from another thread, by an event descriptor.
//
// libuv has uv_async_send for that, but there the thread that is woken waits for the one that wakes it to return from
// its system call, spinning, and it does so before any callback runs.
#pragma once

#include "uv/poller.hpp"

namespace mainspring {

class Waker {
 public:
  // Throws std::system_error.
  explicit Waker(uv::EventLoop& loop);
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  ~Waker();

  // In a forked child: a descriptor of its own. Throws std::system_error.
  void renew();

  // From any thread; needs no GIL.
  void wake() noexcept;

 private:
  static int serve(void* owner, int events);

  int descriptor_;
  uv::Poller* poller_;
};

}  // namespace mainspring
