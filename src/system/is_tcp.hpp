// Whether a socket is TCP's, of which a read that is shorter than its buffer has taken everything there was. The other
// protocols of connections, such as SCTP, give a message at a time.
#pragma once

#include "system/portable.hpp"

#if !MAINSPRING_PORTABLE
#include <netinet/in.h>
#include <sys/socket.h>
#endif

namespace mainspring::system {

#if MAINSPRING_PORTABLE

// Nobody asks: libuv tells of descriptors for as long as they are ready.
inline bool is_tcp(int) { return false; }

#else

inline bool is_tcp(int fd) {
  int protocol = 0;
  socklen_t size = sizeof protocol;
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

#endif

}  // namespace mainspring::system
