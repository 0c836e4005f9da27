#include "loop/waker.hpp"

namespace mainspring {

Waker::Waker(uv::EventLoop& loop)
    : poller_(uv::Poller::open(loop, descriptor_.number(), this, serve, uv::Poller::kReadable)) {}

// Served as an arrival, and so after the callbacks that the loop was woken for.
int Waker::serve(void* owner, int) {
  static_cast<Waker*>(owner)->descriptor_.clear();
  return 0;
}

}  // namespace mainspring
