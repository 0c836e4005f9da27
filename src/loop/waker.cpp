#include "loop/waker.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "uv/descriptor.hpp"

namespace mainspring {

namespace {

int make_descriptor() {
  const int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) uv::fail_with_errno("eventfd");
  return descriptor;
}

}  // namespace

Waker::Waker(uv::EventLoop& loop) : descriptor_(make_descriptor()) {
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

void Waker::renew() { uv::replace_descriptor(descriptor_, make_descriptor()); }

void Waker::wake() noexcept {
  while (eventfd_write(descriptor_, 1) < 0 && errno == EINTR) {
  }
}

// Served as an arrival, and so after the callbacks that the loop was woken for.
int Waker::serve(void* owner, int) {
  eventfd_t wakes;
  eventfd_read(static_cast<Waker*>(owner)->descriptor_, &wakes);
  return 0;
}

}  // namespace mainspring
