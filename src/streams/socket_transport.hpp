// SocketTransport: asyncio.Transport over a connected stream socket (asyncio documentation, "Transports").
//
// The descriptor has one owner at any time: the transport itself (`fd` of an accepted connection), or, once there is a
// Python socket object for it, that object (`socket`), which the transport closes. A socket that the program passed in
// is kept open for the transport's life even if the program closes it (as socket.makefile does), so that its number
// cannot come back as somebody else's connection.
//
// The Loop holds a transport from its start until connection_lost, or while it reads or writes.
//
// States: open → close() → closing (sends what is queued) → lost (connection_lost is scheduled) → closed (`open_` is
// false). An error or abort() goes to lost at once.
//
// write() queues. The queue is sent when the turn's callbacks have run (Loop::flush), at once when it passes the high
// water mark or kGatherLimit, or outside of a turn; bytes are kept by reference, everything else is copied.
#pragma once

#include "loop/address.hpp"
#include "loop/flow_control.hpp"
#include "loop/transport.hpp"
#include "streams/stream_link.hpp"
#include "streams/write_queue.hpp"

namespace mainspring {

struct ReaderState;

class SocketTransport : public Transport {
 public:
  // What a new transport is made from. All but `loop`, `protocol` and `fd` may be nullptr.
  struct Origin {
    Loop* loop;
    PyObject* protocol;
    int fd;
    PyObject* socket = nullptr;  // the descriptor's owner; else the transport is
    PyObject* waiter = nullptr;
    PyObject* extra = nullptr;  // a dict
    PyObject* server = nullptr;
    PyObject* context = nullptr;
    const Address* peer = nullptr;
    int number = 0;  // of the IP protocol, for the Python socket of an accepted descriptor
    bool is_tcp = false;
  };

  // A new reference; nullptr with an exception set, and then the descriptor stays the caller's. Schedules
  // connection_made.
  static PyObject* make(const Origin& origin);

  static SocketTransport* from(PyObject* self) { return static_cast<SocketTransport*>(Transport::from(self)); }
  static SocketTransport* from(IoObject* io) { return from(io->object); }

  // --- the Python interface ----------------------------------------------------------------------------------------
  static PyObject* write(PyObject* self, PyObject* data);
  static PyObject* writelines(PyObject* self, PyObject* chunks);
  static PyObject* write_eof(PyObject* self, PyObject*);
  static PyObject* can_write_eof(PyObject* self, PyObject*);
  static PyObject* close(PyObject* self, PyObject*);
  static PyObject* abort(PyObject* self, PyObject*);
  static PyObject* pause_reading(PyObject* self, PyObject*);
  static PyObject* resume_reading(PyObject* self, PyObject*);
  static PyObject* set_protocol(PyObject* self, PyObject* protocol);
  static PyObject* get_write_buffer_size(PyObject* self, PyObject*);
  static PyObject* get_write_buffer_limits(PyObject* self, PyObject*);
  static PyObject* set_write_buffer_limits(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  // For sendfile(): a future that is done when nothing is queued; writing fails until reset_empty_waiter().
  static PyObject* make_empty_waiter(PyObject* self, PyObject*);
  static PyObject* reset_empty_waiter(PyObject* self, PyObject*);
  static PyObject* force_close(PyObject* self, PyObject* exception);
  static PyObject* get_protocol_paused(PyObject* self, void*);
  static PyObject* repr(PyObject* self);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);

 private:
  static const IoKind kKind;
  static constexpr size_t kGatherLimit = 64 * 1024;
  static constexpr int kMostVectors = 1024;
  // Of an arrival, so that the other connections have their turn: 2 MiB of the loop's buffer.
  static constexpr int kMostPieces = 8;
  static constexpr int64_t kPiecesTime = 1'000'000;  // ns from the first piece on

  static int serve(void* owner, int events);
  static int flush(IoObject* io);
  static int begin(IoObject* io);
  static void close_descriptor(IoObject* io);
  static PyObject* find_info(IoObject* io, PyObject* name);
  static PyObject* connect(IoObject* io);

  int read_arrival();
  int read();
  int read_into_protocol();
  int read_into_sink();
  int read_data();
  int read_into_stream(ReaderState* stream);
  // So much has been received into `room` bytes.
  void received(ssize_t size, size_t room);
  int reading_failed();
  int received_eof();
  bool may_write(const char* method);
  bool count_lost_write();
  bool enqueue(PyObject* data);
  int after_write(size_t waited);
  int write_without_loop(size_t waited);
  int send_queued();
  // One system call for what is queued, of which the kernel may take a part; the protocol is not told.
  ssize_t send_gathered(size_t* offered);
  int write_ready();
  int all_sent();
  int wake_empty_waiter(PyObject* method, PyObject* value);
  int fatal_error(const char* message);
  int force_close_with(PyObject* exception);
  int lose_connection(PyObject* exception);
  bool update_interest();
  bool waits_for_peer() const { return watched() & uv::Poller::kWritable; }
  PyObject* python_socket();
  bool use_protocol(PyObject* protocol);
  bool note_unix_names();
  bool keep_socket_open();
  size_t flush_threshold() const { return flow_.high() < kGatherLimit ? flow_.high() : kGatherLimit; }

  PyObject* socket_;
  PyObject* server_;
  PyObject* empty_waiter_;
  int number_;
  bool is_tcp_;
  bool buffered_;
  bool peer_ended_;  // of the arrival that is being served
  bool sink_;        // the protocol is native; see ByteSink
  bool eof_written_;
  bool eof_received_;
  bool keeps_socket_open_;
  int64_t filled_at_;  // when its last piece filled the loop's buffer, in ns of the monotonic clock; 0: it did not
  StreamLink stream_;
  FlowControl flow_;
  Address own_;
  Address peer_;
  WriteQueue<Ref> queue_;
};

}  // namespace mainspring
