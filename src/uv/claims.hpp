// By which descriptor each file is in one set: epoll and libuv know a descriptor in a set once. A second Poller of a
// descriptor, as for the transports of both directions of a terminal, watches one of its own for the same file.
//
// Owned by the set.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "uv/failure.hpp"

namespace mainspring::uv {

class Claims {
 public:
  // What to watch for `fd`, until let_go(). Throws std::system_error.
  int take(int fd) {
    const auto index = static_cast<size_t>(fd);
    if (index >= taken_.size()) taken_.resize(index + 64);
    if (!taken_[index]) {
      taken_[index] = true;
      return fd;
    }
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) fail_with_errno("fcntl");
    return own;
  }

  void let_go(int fd, int watched) {
    if (watched == fd) {
      taken_[static_cast<size_t>(fd)] = false;
    } else {
      ::close(watched);
    }
  }

 private:
  std::vector<bool> taken_;
};

}  // namespace mainspring::uv
