// A Poller that the loop's own epoll set watches.
#pragma once

#include <cstdint>

#include "uv/poller.hpp"

namespace mainspring::uv {

class EpollPoller final : public Poller {
 public:
  // Throws std::system_error.
  EpollPoller(EventLoop& loop, int fd, void* owner, Serve serve, int events, Told told);

  void watch(int events) override;
  void close() override;
  void emptied() override { armed_ = true; }
  bool is_copy() const override { return watched_ != fd(); }

 private:
  friend class EpollSet;
  ~EpollPoller() override = default;

  // What epoll should be asked for.
  uint32_t wanted() const;

  // Whether what epoll was asked for is still what it should be, and will bring what has to be told.
  bool is_set() const;

  // epoll has reported these events.
  void reported(uint32_t events);

  Told told_;
  int watched_ = -1;
  EpollPoller* next_noted_ = nullptr;
  uint32_t asked_ = 0;   // what epoll was asked for; 0 when the descriptor is not in the set
  uint32_t number_ = 0;  // of the registration
  int idle_ = 0;         // reports in a row of which nobody wanted to know
  bool armed_ = false;   // the next arrival, and what has arrived before, will be reported
  bool noted_ = false;   // by the set, which looks at it before the loop polls; then next_noted_ counts
};

}  // namespace mainspring::uv
