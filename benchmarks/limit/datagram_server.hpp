// DatagramServer: sends each datagram back to where it came from, until there is none, and then waits on epoll.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "../load/system.hpp"

namespace limit {

class DatagramServer {
 public:
  explicit DatagramServer(int descriptor) : descriptor_(descriptor), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (epoll_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor_, &event) < 0)
      throw load::system_error("epoll", errno);
  }

  [[noreturn]] void run() {
    epoll_event event{};
    while (true) {
      if (epoll_wait(epoll_, &event, 1, -1) < 0 && errno != EINTR) throw load::system_error("epoll_wait", errno);
      while (echo()) {
      }
    }
  }

 private:
  bool echo() {
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    auto* address = reinterpret_cast<sockaddr*>(&peer);
    const ssize_t count = recvfrom(descriptor_, buffer_.data(), buffer_.size(), 0, address, &length);
    if (count < 0) return false;
    sendto(descriptor_, buffer_.data(), static_cast<std::size_t>(count), 0, address, length);
    return true;
  }

  int descriptor_;
  int epoll_;
  alignas(4096) std::array<char, 65536> buffer_{};
};

}  // namespace limit
