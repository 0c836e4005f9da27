#include "loop/waker.hpp"

namespace mainspring {

Waker::Waker(uv::EventLoop& loop)
    : poller_(uv::Poller::open(loop, descriptor_.number(), this, serve, uv::Poller::kReadable,
                               uv::Poller::Told::kOfArrivals)) {}

// Served as an arrival, and so after the callbacks that the loop was woken for.
int Waker::serve(void* owner, int) {
  auto* waker = static_cast<Waker*>(owner);
  waker->descriptor_.clear();
  waker->poller_->emptied();
  return 0;
}

}  // namespace mainspring
