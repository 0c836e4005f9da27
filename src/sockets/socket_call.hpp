// The system call of one sock_* method with its arguments, done once or more until it no longer blocks.
//
// A part of SocketOperation, which waits in between. A plain struct, because it follows PyObject_HEAD there. Only for
// non-blocking sockets that are exactly socket.socket and arguments of the usual types; for everything else kUnsuited
// says that Python has to do it.
#pragma once

#include "loop/loop.hpp"
#include "python/ref.hpp"

namespace mainspring {

struct SocketCall {
  enum Kind : uint8_t { kRecv, kRecvInto, kRecvFrom, kRecvFromInto, kSendAll, kSendTo, kAccept, kConnect };

  enum class Outcome {
    kDone,
    kBlocked,
    kFailed,    // with an exception set
    kUnsuited,  // with an exception set or without
  };

  Kind kind;
  PyObject* socket;
  PyObject* first;   // the size, buffer, data or address to connect to, as the program gave it; nullptr for accept
  PyObject* second;  // the number of bytes or the address; nullptr when there is none
  Py_buffer data;    // sock_sendall(): what is sent, from the first attempt on
  Py_ssize_t sent;   // of it

  Outcome attempt(Loop* loop, int fd, Ref& result);

  // The same by the socket's own method, for an argument that is unsuited only by now, such as a released memoryview.
  Outcome attempt_in_python(Ref& result) const;

  WatchedDescriptors::Direction direction() const {
    return kind == kSendAll || kind == kSendTo || kind == kConnect ? WatchedDescriptors::kWriter
                                                                   : WatchedDescriptors::kReader;
  }

  bool receives() const { return kind <= kRecvFromInto; }

  // Drops everything.
  void finish();
  int traverse(visitproc visit, void* arg) const;

  // The socket's own descriptor, -1 once it is closed. False with an exception set.
  bool descriptor(Loop* loop, int* fd) const;

 private:
  Outcome receive(Loop* loop, int fd, Ref& result) const;
  Outcome receive_into(Loop* loop, int fd, Ref& result) const;
  Outcome send_all(Loop* loop, int fd, Ref& result);
  Outcome send_to(Loop* loop, int fd, Ref& result) const;
  Outcome accept(Loop* loop, int fd, Ref& result) const;
  Outcome connect(Loop* loop, int fd, Ref& result);
  Outcome connected(int fd, Ref& result) const;
  bool attribute(PyObject* descriptor, int* value) const;
  bool has_known_addresses(Loop* loop, int* family) const;
};

}  // namespace mainspring
