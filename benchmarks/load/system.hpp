// system: the system calls the generator shares: clocks, errors with their names, opening a connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>

namespace load {

inline constexpr std::uint64_t second = 1'000'000'000;
inline constexpr std::uint64_t patience = 10 * second;

inline std::uint64_t clock_nanoseconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * second + static_cast<std::uint64_t>(time.tv_nsec);
}

inline std::uint64_t now_nanoseconds() { return clock_nanoseconds(CLOCK_MONOTONIC); }
inline double own_processor_time() { return static_cast<double>(clock_nanoseconds(CLOCK_PROCESS_CPUTIME_ID)) / 1e9; }

inline std::runtime_error system_error(const std::string& what, int code) {
  return std::runtime_error(what + ": " + std::strerror(code));
}

// Waiting for each connection in turn keeps the listener's queue short, so that no SYN is dropped and sent again
// a second later.
inline int open_connection(std::uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw system_error("socket", errno);
  const int one = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int code = 0;
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) code = errno;
  if (code == EINPROGRESS) {
    pollfd waiting{descriptor, POLLOUT, 0};
    socklen_t length = sizeof code;
    if (poll(&waiting, 1, static_cast<int>(patience / 1'000'000)) == 0)
      code = ETIMEDOUT;
    else
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length);
  }
  if (code != 0) {
    close(descriptor);
    throw system_error("connect to 127.0.0.1:" + std::to_string(port), code);
  }
  return descriptor;
}

}  // namespace load
