// The epoll set of one loop: what the loop owns itself, the descriptors of its transports, listening sockets and
// instruments, and as one of them libuv's set (uv_backend_fd), with what the program registered.
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

  // In a forked child: a set of its own, for the same descriptors but libuv's. Throws.
  void renew();

  // Closes what is in it.
  void close_all();

  // --- what is ready -----------------------------------------------------------------------------------------------

  // Asks epoll for what is to be watched now. False when something could not be asked for.
  bool apply();
  bool has_changes() const { return !noted_.empty(); }

  // Waits for events for so many milliseconds, -1 for ever. Touches nothing else, and needs no GIL.
  void wait(int timeout);

  struct Special {
    bool libuv;
    bool alarm;
  };
  // Tells the Pollers what wait() has found.
  Special report();

  int descriptor() const { return epoll_; }

 private:
  int ask(int operation, int fd, uint32_t events, uint32_t number) const;
  int set(EpollPoller* poller);
  void add_special(int fd, uint32_t events);
  void fill();

  int epoll_;
  int libuv_ = -1;
  int alarm_ = -1;
  int found_ = 0;
  int stale_ = 0;
  uint32_t last_number_ = 0;
  size_t open_ = 0;
  std::vector<EpollPoller*> pollers_;  // by descriptor
  std::vector<EpollPoller*> noted_;
  std::vector<epoll_event> events_;
};

}  // namespace mainspring::uv
