// Ends the loop's wait from another thread, by a descriptor.
//
// libuv has uv_async_send for that, but there the thread that is woken waits for the one that wakes it to return from
// its system call, spinning, and it does so before any callback runs.
#pragma once

#include "system/wake_descriptor.hpp"
#include "uv/poller.hpp"

namespace mainspring {

class Waker {
 public:
  // Throws std::system_error.
  explicit Waker(uv::EventLoop& loop);
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  ~Waker() { poller_->close(); }

  // In a forked child: a descriptor of its own. Throws std::system_error.
  void renew() { descriptor_.renew(); }

  // From any thread; needs no GIL.
  void wake() noexcept { descriptor_.wake(); }

 private:
  static int serve(void* owner, int events);

  system::WakeDescriptor descriptor_;
  uv::Poller* poller_;
};

}  // namespace mainspring
