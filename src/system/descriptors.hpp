// Descriptors that do not block and that programs started by this one do not inherit, and what a forked child does with
// those that it would share with its parent.
//
// Elsewhere than on Linux the marks come a system call after the descriptor: a program that another thread starts in
// between inherits it, as it does from Python itself there.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "system/portable.hpp"

namespace mainspring::system {

[[noreturn]] inline void fail(int error, const char* what) {
  throw std::system_error(error, std::generic_category(), what);
}

#if MAINSPRING_PORTABLE

// There is no type of sockets by which Python's object learns that its descriptor does not block: it has to be told.
constexpr int kTypeThatDoesNotBlock = 0;

inline bool mark(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

// Closes what is not used any more, and leaves errno as it is.
inline void drop(int fd) {
  const int error = errno;
  ::close(fd);
  errno = error;
}

// Throws std::system_error.
inline void make_pipe(int (&ends)[2]) {
  if (::pipe(ends) < 0) fail(errno, "pipe");
  if (mark(ends[0]) && mark(ends[1])) return;
  drop(ends[0]);
  drop(ends[1]);
  fail(errno, "fcntl");
}

// -1 with errno as accept() has it.
inline int accept_connection(int fd, sockaddr* peer, socklen_t* size) {
  const int connection = ::accept(fd, peer, size);
  if (connection < 0 || mark(connection)) return connection;
  drop(connection);
  return -1;
}

// Puts `fresh`, which it takes over, in the place of `descriptor`, under the same number. Throws std::system_error.
inline void replace_descriptor(int descriptor, int fresh) {
  const bool replaced = dup2(fresh, descriptor) >= 0 && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
  drop(fresh);
  if (!replaced) fail(errno, "dup2");
}

#else

// The part of a socket's type by which Python's object learns that its descriptor does not block.
constexpr int kTypeThatDoesNotBlock = SOCK_NONBLOCK;

// Throws std::system_error.
inline void make_pipe(int (&ends)[2]) {
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) fail(errno, "pipe2");
}

// -1 with errno as accept() has it.
inline int accept_connection(int fd, sockaddr* peer, socklen_t* size) {
  return accept4(fd, peer, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// Puts `fresh`, which it takes over, in the place of `descriptor`, under the same number. Throws std::system_error.
inline void replace_descriptor(int descriptor, int fresh) {
  const int status = dup3(fresh, descriptor, O_CLOEXEC);
  const int error = errno;
  ::close(fresh);
  if (status < 0) fail(error, "dup3");
}

#endif

}  // namespace mainspring::system
