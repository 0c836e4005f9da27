// Several datagrams in one system call, where there is such a call, and in one for each elsewhere.
#pragma once

#include <sys/socket.h>

#include <cerrno>

#include "system/no_signal.hpp"
#include "system/portable.hpp"

namespace mainspring::system {

#if MAINSPRING_PORTABLE

struct DatagramMessage {
  msghdr msg_hdr;
  unsigned msg_len;
};

// How many were received without waiting; -1 with errno when the first was not. An error after the first, which the
// system tells once only, is left in `later`.
inline int receive_batch(int fd, DatagramMessage* messages, unsigned size, int* later) {
  for (unsigned i = 0; i < size; ++i) {
    const ssize_t received = ::recvmsg(fd, &messages[i].msg_hdr, MSG_DONTWAIT);
    if (received < 0) {
      if (i == 0) return -1;
      *later = errno;
      return static_cast<int>(i);
    }
    messages[i].msg_len = static_cast<unsigned>(received);
  }
  return static_cast<int>(size);
}

// How many were sent; -1 with errno when the first was not.
inline int send_batch(int fd, DatagramMessage* messages, unsigned size) {
  for (unsigned i = 0; i < size; ++i) {
    if (::sendmsg(fd, &messages[i].msg_hdr, kNoSignal) < 0) return i == 0 ? -1 : static_cast<int>(i);
  }
  return static_cast<int>(size);
}

#else

using DatagramMessage = mmsghdr;

// How many were received without waiting; -1 with errno when the first was not. The kernel keeps an error after the
// first for the next call.
inline int receive_batch(int fd, DatagramMessage* messages, unsigned size, int*) {
  return recvmmsg(fd, messages, size, MSG_DONTWAIT, nullptr);
}

// How many were sent; -1 with errno when the first was not.
inline int send_batch(int fd, DatagramMessage* messages, unsigned size) {
  return sendmmsg(fd, messages, size, kNoSignal);
}

#endif

}  // namespace mainspring::system
