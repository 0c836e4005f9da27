// A socket address in little memory, and as Python has it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "python/ref.hpp"

namespace mainspring {

// Holds an IPv4 or IPv6 address; of other families only that there is one.
class Address {
 public:
  void set(const sockaddr* address, socklen_t size);

  // The socket's own address or its peer's; empty when the system call fails.
  void set_own(int fd);
  void set_peer(int fd);

  int family() const { return address_.sin6_family; }

  // A new reference: (host, port), (host, port, flow info, scope id), or None for an empty address. nullptr with an
  // exception set.
  PyObject* to_python() const;

 private:
  sockaddr_in6 address_{};
};

}  // namespace mainspring
