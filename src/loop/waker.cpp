#include "loop/waker.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include "uv/failure.hpp"

namespace mainspring {

Waker::Waker(uv::EventLoop& loop) : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ < 0) uv::fail_with_errno("eventfd");
  try {
    poller_ = uv::Poller::open(loop, descriptor_, this, serve);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
  poller_->watch(uv::Poller::kReadable);
}

Waker::~Waker() {
  poller_->close();
  ::close(descriptor_);
}

void Waker::wake() noexcept { eventfd_write(descriptor_, 1); }

// Served as an arrival, and so after the callbacks that the loop was woken for.
int Waker::serve(void* owner, int) {
  eventfd_t wakes;
  eventfd_read(static_cast<Waker*>(owner)->descriptor_, &wakes);
  return 0;
}

}  // namespace mainspring
