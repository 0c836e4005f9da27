#include "uv/poller.hpp"

namespace mainspring::uv {

void Poller::set_interest(int events) {
  loop_.want_room(interest_ & kWritable, events & kWritable);
  interest_ = events;
}

void Poller::begin_closing() {
  closing_ = true;
  set_interest(0);
}

void Poller::arrived(int events) {
  arrived_ |= events;
  if (queued_) return;
  queued_ = true;
  loop_.arrivals().push_back(this);
}

void Poller::release() {
  released_ = true;
  if (!queued_) delete this;
}

int Poller::take() {
  queued_ = false;
  const int events = arrived_;
  arrived_ = 0;
  if (closing_) {
    if (released_) delete this;
    return 0;
  }
  taken();
  return events & (interest_ & kReadable ? interest_ | kEnded : interest_);
}

}  // namespace mainspring::uv
