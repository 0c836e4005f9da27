// PipeWriter: asyncio.WriteTransport over the writing end of a pipe, a terminal or a socket (connect_write_pipe).
//
// The file object that the program passed in owns the descriptor; the transport closes it after connection_lost. Writes
// of a turn are gathered as those of a SocketTransport. The end of a pipe or socket becomes readable when its reader
// has gone, which is how a writer that has nothing to write learns of it.
#pragma once

#include "loop/flow_control.hpp"
#include "loop/transport.hpp"
#include "streams/write_queue.hpp"

namespace mainspring {

class PipeWriter : public Transport {
 public:
  // A new reference; nullptr with an exception set. `pipe` is non-blocking already; `watches_reader` says that the
  // descriptor tells when its reader has gone.
  static PyObject* make(Loop* loop, PyObject* pipe, int fd, PyObject* protocol, PyObject* waiter, PyObject* extra,
                        bool watches_reader);

  static PipeWriter* from(PyObject* self) { return static_cast<PipeWriter*>(Transport::from(self)); }
  static PipeWriter* from(IoObject* io) { return from(io->object); }

  static PyObject* write(PyObject* self, PyObject* data);
  static PyObject* write_eof(PyObject* self, PyObject*);
  static PyObject* can_write_eof(PyObject* self, PyObject*);
  static PyObject* abort(PyObject* self, PyObject*);
  static PyObject* get_write_buffer_size(PyObject* self, PyObject*);
  static PyObject* get_write_buffer_limits(PyObject* self, PyObject*);
  static PyObject* set_write_buffer_limits(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* repr(PyObject* self);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);

 private:
  static const IoKind kKind;
  static constexpr size_t kGatherLimit = 64 * 1024;
  static constexpr int kMostVectors = 64;
  static constexpr int kSilentLateWrites = 5;

  static int serve(void* owner, int events);
  static int flush(IoObject* io);
  static int begin(IoObject* io);
  static void close_descriptor(IoObject* io);

  int count_late_write();
  int refuse_data();
  int reader_gone();
  int send_queued();
  int write_without_loop(size_t waited);
  int fatal_error(const char* message);
  int close_with(PyObject* exception);
  bool update_interest();
  bool waits_for_reader() const { return watched() & uv::Poller::kWritable; }

  PyObject* pipe_;
  bool watches_reader_;
  int late_writes_;
  FlowControl flow_;
  WriteQueue<Ref> queue_;
};

}  // namespace mainspring
