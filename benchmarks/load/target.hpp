// Target: where the generator's connections go, and the sockets that lead there.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "system.hpp"

namespace load {

struct Target {
  std::uint16_t port = 0;
  std::string unix_path;  // Instead of a port.
  bool datagrams = false;

  std::string text() const { return unix_path.empty() ? "127.0.0.1:" + std::to_string(port) : unix_path; }
};

inline sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(host);
  return address;
}

inline sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::invalid_argument("the path is too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// A socket that has begun to connect. With `source`, from that address of the loopback network: a port that was closed
// stays taken for a minute, and one address has too few of them for a connection a request.
inline int begin_connection(const Target& target, std::uint32_t source = INADDR_LOOPBACK) {
  const bool local = !target.unix_path.empty();
  const int kind = target.datagrams ? SOCK_DGRAM : SOCK_STREAM;
  const int descriptor = socket(local ? AF_UNIX : AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw system_error("socket", errno);
  int result = 0;
  if (local) {
    const sockaddr_un address = unix_address(target.unix_path);
    result = connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } else {
    const int one = 1;
    if (!target.datagrams) setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (source != INADDR_LOOPBACK) {
      setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
      const sockaddr_in own = loopback(source, 0);
      if (bind(descriptor, reinterpret_cast<const sockaddr*>(&own), sizeof own) < 0) throw system_error("bind", errno);
    }
    const sockaddr_in address = loopback(INADDR_LOOPBACK, target.port);
    result = connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  if (result < 0 && errno != EINPROGRESS) {
    const int code = errno;
    close(descriptor);
    throw system_error("connect to " + target.text(), code);
  }
  return descriptor;
}

// What connecting came to: 0, or the error's code.
inline int connection_error(int descriptor) {
  int code = 0;
  socklen_t length = sizeof code;
  getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length);
  return code;
}

// Waiting for each connection in turn keeps the listener's queue short, so that no SYN is dropped and sent again
// a second later.
inline int open_connection(const Target& target) {
  const int descriptor = begin_connection(target);
  pollfd waiting{descriptor, POLLOUT, 0};
  const int ready = poll(&waiting, 1, static_cast<int>(patience / 1'000'000));
  const int code = ready == 0 ? ETIMEDOUT : connection_error(descriptor);
  if (code != 0) {
    close(descriptor);
    throw system_error("connect to " + target.text(), code);
  }
  return descriptor;
}

}  // namespace load
