// DatagramTransport: asyncio.DatagramTransport over a UDP or UNIX datagram socket (create_datagram_endpoint).
//
// The Python socket that the endpoint was made with owns the descriptor; the transport closes it after connection_lost.
// Datagrams are received several a system call (recvmmsg) and sent at once; what the kernel does not take is queued
// with its address, and sent several a system call (sendmmsg) when there is room again. Errors of a single datagram go
// to error_received and leave the transport open.
#pragma once

#include <deque>

#include "loop/flow_control.hpp"
#include "loop/transport.hpp"

namespace mainspring {

class DatagramTransport : public Transport {
 public:
  // A new reference; nullptr with an exception set. `address` is the connected peer's, or nullptr.
  static PyObject* make(Loop* loop, PyObject* socket, int fd, PyObject* protocol, PyObject* address, PyObject* waiter,
                        PyObject* extra);

  static DatagramTransport* from(PyObject* self) { return static_cast<DatagramTransport*>(Transport::from(self)); }
  static DatagramTransport* from(IoObject* io) { return from(io->object); }

  static PyObject* sendto(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* close(PyObject* self, PyObject*);
  static PyObject* read_ready(PyObject* self, PyObject*);
  static PyObject* sendto_ready(PyObject* self, PyObject*);
  static PyObject* deliver_held(PyObject* self, PyObject*);
  static PyObject* pause_reading(PyObject* self, PyObject*);
  static PyObject* resume_reading(PyObject* self, PyObject*);
  static PyObject* abort(PyObject* self, PyObject*);
  static PyObject* get_write_buffer_size(PyObject* self, PyObject*);
  static PyObject* get_write_buffer_limits(PyObject* self, PyObject*);
  static PyObject* set_write_buffer_limits(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* repr(PyObject* self);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);

 private:
  // A datagram that waits: its bytes, and its address or nullptr.
  struct Waiting {
    Ref data;
    Ref address;
  };

  enum class Sent { kDone, kBlocked, kFailed };

  static const IoKind kKind;
  static int serve(void* owner, int events);
  static int begin(IoObject* io);
  static void close_descriptor(IoObject* io);

  int read();
  int read_batch(int* received);
  int read_one();
  int deliver(PyObject* data, PyObject* address);
  bool hold(PyObject* data, PyObject* address);
  int received_error();
  Sent send_one(const char* data, size_t size, PyObject* data_object, PyObject* address);
  // Takes the exception that is set. `in_sendto`: an exception of error_received() goes to the caller.
  int network_error(PyObject* step);
  int report_step(PyObject* step);
  int send_batch();
  int write_ready();
  int fatal_error(const char* message);
  int close_with(PyObject* exception);
  bool update_interest();

  PyObject* socket_;
  PyObject* address_;
  PyObject* held_;  // a list of what was received together with a datagram whose receiver paused reading
  int family_;
  bool connected_;
  size_t waiting_size_;
  FlowControl flow_;
  std::deque<Waiting>* waiting_;  // made when the first datagram has to wait
};

}  // namespace mainspring
