// PipeReader: asyncio.ReadTransport over the reading end of a pipe, a terminal or a socket (connect_read_pipe).
//
// The file object that the program passed in owns the descriptor; the transport closes it after connection_lost.
#pragma once

#include "loop/transport.hpp"

namespace mainspring {

class PipeReader : public Transport {
 public:
  // A new reference; nullptr with an exception set. `pipe` is non-blocking already.
  static PyObject* make(Loop* loop, PyObject* pipe, int fd, PyObject* protocol, PyObject* waiter, PyObject* extra);

  static PipeReader* from(PyObject* self) { return static_cast<PipeReader*>(Transport::from(self)); }
  static PipeReader* from(IoObject* io) { return from(io->object); }

  static PyObject* pause_reading(PyObject* self, PyObject*);
  static PyObject* resume_reading(PyObject* self, PyObject*);
  static PyObject* close(PyObject* self, PyObject*);
  static PyObject* repr(PyObject* self);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);

 private:
  static const IoKind kKind;

  static int serve(void* owner, int events);
  static int begin(IoObject* io);
  static void close_descriptor(IoObject* io);

  int read();
  int ended();
  int fatal_error(const char* message);
  int close_with(PyObject* exception);
  bool update_interest() { return watch(!paused_ && !closing_ ? uv::Poller::kReadable : 0, serve); }

  PyObject* pipe_;

  // What one read() of anything else takes need not be all, however short it is.
  bool is_pipe_;
};

}  // namespace mainspring
