// listening: the socket on which the limit listens, or receives datagrams.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "../load/system.hpp"
#include "../load/target.hpp"
#include "options.hpp"

namespace limit {

inline int open_listener(const Options& options) {
  const bool datagrams = options.transport == "udp";
  const bool local = !options.unix_path.empty();
  const int kind = (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const int descriptor = socket(local ? AF_UNIX : AF_INET, kind, 0);
  if (descriptor < 0) throw load::system_error("socket", errno);
  int result = 0;
  if (local) {
    const sockaddr_un address = load::unix_address(options.unix_path);
    result = bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } else {
    const sockaddr_in address = load::loopback(INADDR_LOOPBACK, 0);
    result = bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  if (result < 0) throw load::system_error("bind", errno);
  if (!datagrams && listen(descriptor, 4096) < 0) throw load::system_error("listen", errno);
  return descriptor;
}

// The port it was given; 0 for a UNIX socket.
inline std::uint16_t port_of(int descriptor) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length);
  return address.sin_family == AF_INET ? ntohs(address.sin_port) : std::uint16_t{0};
}

}  // namespace limit
