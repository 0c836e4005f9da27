// The epoll set of one loop: what the loop owns itself, the descriptors of its transports, listening sockets and
// instruments, those for which sock_* operations wait, and as one of them libuv's set (uv_backend_fd), with what the
// program registered.
//
// libuv asks epoll five times for each descriptor, reports in the order of levels what has been waiting longest last,
// and ends the process when epoll refuses. Here:
//
//   - Each registration has a number of its own, which the kernel gives back with its events. An event of an older
//     registration is dropped, so nobody gets what belonged to a closed descriptor.
//   - When closed files keep reporting, because a fork or a dup keeps them open, the set is made anew.
//   - A registration that fails is tried again before the next poll.
//
// Owned by EventLoop. Throws std::system_error where it says so.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <vector>

#include "uv/claims.hpp"

namespace mainspring::uv {

class EpollPoller;

class EpollSet {
 public:
  // Throws.
  EpollSet();
  EpollSet(const EpollSet&) = delete;
  EpollSet& operator=(const EpollSet&) = delete;
  ~EpollSet();

  // --- what is in it -----------------------------------------------------------------------------------------------

  // Throws, and has not taken it then.
  void add(EpollPoller* poller);
  void remove(EpollPoller* poller);

  // Looks at it before the loop polls: its owner wants something else, or it has reported something.
  void note(EpollPoller* poller);

  // Libuv's set, and the descriptor of the alarm. Throws.
  void add_libuv(int fd);
  void add_alarm(int fd);

  // A set of its own for the same descriptors, `libuv` in the place of libuv's. Throws, and leaves everything as it
  // was.
  void renew(int libuv);

  // Closes what is in it.
  void close_all();

  // --- what is ready -----------------------------------------------------------------------------------------------

  // Asks epoll for what is to be watched now. False when it has to be asked again.
  bool apply();

  // So many descriptors may be reported.
  size_t size() const { return open_; }

  // Waits for events for so many milliseconds, -1 for ever. Touches nothing else, and needs no GIL.
  void wait(int timeout);

  // Tells the Pollers what wait() has found, and `special` of a descriptor that is not a Poller's. In the order in
  // which the kernel reported it. Throws.
  template <typename Special>
  void report(Special special) {
    const int found = take_found();
    for (int i = 0; i < found; ++i) {
      const int fd = report(events_[static_cast<size_t>(i)]);
      if (fd >= 0) special(fd);
    }
    if (stale_ >= kStaleEvents) [[unlikely]]
      drop_stale();
  }

  int descriptor() const { return epoll_; }

 private:
  // After so many events of files that cannot be taken out of the set any more, it is made anew.
  static constexpr int kStaleEvents = 16;

  int ask(int operation, int fd, uint32_t events, uint32_t number) const;
  int set(EpollPoller* poller);
  uint32_t next_number();
  int take_found();
  int report(const epoll_event& event);
  void drop_stale();
  EpollPoller* take_noted();

  int epoll_;
  int libuv_ = -1;
  int alarm_ = -1;
  int found_ = 0;
  int stale_ = 0;
  uint32_t last_number_ = 0;
  size_t open_ = 0;
  Claims claims_;
  std::vector<EpollPoller*> pollers_;  // by the descriptor that is watched
  EpollPoller* noted_ = nullptr;
  EpollPoller** noted_end_ = &noted_;
  std::vector<epoll_event> events_;
};

}  // namespace mainspring::uv
