// A socket address in little memory, and as Python has it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "python/ref.hpp"

namespace mainspring {

// The name of a UNIX socket (`own`) or of its peer, as Python has it: str for a path, bytes for an abstract name, ''
// for none, None when there is no peer. A new reference; nullptr with an exception set.
PyObject* unix_name(int fd, bool own);

// The socket address of (host, port) with a numeric host; 0 when Python has to look at it.
socklen_t numeric_address(PyObject* address, int family, sockaddr_storage* storage);

// An IPv4, IPv6 or UNIX address that the kernel gave, as Python's socket gives it; None for an empty one. A new
// reference; nullptr with an exception set.
PyObject* address_to_python(const sockaddr* address, socklen_t size);

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
