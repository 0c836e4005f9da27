// Transport: what all transports have in common (asyncio documentation, "Transports and Protocols").
//
// A plain struct behind a Python object; each kind of transport inherits from it, without virtual functions, and brings
// an IoKind. It holds the protocol, the loop and the descriptor, and knows the way from open to closed:
//
//   made → (next turn) connection_made, the kind's begin(), the waiter → close() or an error → lose(): connection_lost
//   is scheduled → connection_lost, close_descriptor(), the Loop lets go.
//
// The Loop holds a transport from make() until connection_lost has been called.
#pragma once

#include "loop/io_object.hpp"
#include "loop/loop.hpp"

namespace mainspring {

struct Transport {
  // The instance layout begins with the slots of the standard library's classes, from which the types inherit so that
  // isinstance() holds: `_extra` of asyncio.BaseTransport, and those of _FlowControlMixin, which stay empty.
  PyObject_HEAD PyObject* extra;
  PyObject* flow_control_slots[4];
  PyObject* dict;
  PyObject* weak_references;

  IoObject io_;
  Loop* loop_;
  PyObject* loop_object_;
  PyObject* protocol_;  // nullptr once connection_lost has been called
  PyObject* context_;
  PyObject* waiter_;
  PyObject* ending_;  // what connection_lost() will be called with, when there was no memory for a Handle
  int fd_;
  int lost_writes_;  // not 0 once connection_lost is scheduled; writes since then are only counted
  bool open_;        // the descriptor is open and ours
  bool started_;     // connection_made has been called
  bool closing_;
  bool paused_;

  static Transport* from(PyObject* self) { return reinterpret_cast<Transport*>(self); }
  static Transport* from(IoObject* io) { return from(io->object); }

  PyObject* object() { return reinterpret_cast<PyObject*>(this); }
  Names& names() { return loop_->names(); }
  bool lost() const { return lost_writes_ > 0; }

  // Fills in a new instance that tp_alloc returned. `extra` and `context` may be nullptr. False with an exception set.
  bool set_up(Loop* loop, const IoKind* kind, PyObject* protocol, int fd, PyObject* extra, PyObject* context,
              PyObject* waiter);

  // Schedules the start. From here on the descriptor is the transport's. False with an exception set.
  bool schedule_start();

  // The step that schedule_start() scheduled, or lose().
  static int run_start(IoObject* io);
  int finish_start();

  // The step that lose() scheduled for want of a Handle.
  int end();

  // Calls connection_made(); -1 with an exception set only for what leaves the loop. In debug mode as a Handle, of
  // whose slowness the loop tells.
  int connect(PyObject* context);
  int connect_in_debug(PyObject* context);

  // Watches the descriptor for these events, 0 for none. False with an exception set.
  bool watch(int events, uv::Poller::Serve serve, uv::Poller::Told told = uv::Poller::Told::kWhileReady);
  int watched() const { return io_.poller ? io_.poller->interest() : 0; }
  void close_poller();
  static void loop_closes(IoObject* io) { from(io)->close_poller(); }

  // Closes the Python object that owns the descriptor, for close_descriptor(); clears the field.
  void close_file(PyObject** owner);

  // Schedules connection_lost(exception). -1 with an exception set.
  int lose(PyObject* exception);

  // Reports the exception that is set with `message`, unless it is an OSError that `silent` allows to pass (debug mode
  // logs it), and takes it. An empty Ref: it must leave the loop, and is still set.
  Ref take_fatal_error(const char* message, bool silent);

  // A write that comes too late: logs `warning` from the fifth on, as asyncio does, and counts it once the connection
  // is lost. -1 with an exception set.
  int count_late_write(const char* warning);

  // Debug mode: logs `format` with this transport as its argument, at level DEBUG or INFO. -1 with an exception set.
  int log_debug(const char* format) { return loop_->debug ? log("_log_debug", format) : 0; }
  int log_info(const char* format) { return loop_->debug ? log("_log_info", format) : 0; }

  // --- Python methods that all kinds share -------------------------------------------------------------------------
  static PyObject* is_closing(PyObject* self, PyObject*);
  static PyObject* is_reading(PyObject* self, PyObject*);
  static PyObject* get_protocol(PyObject* self, PyObject*);
  static PyObject* set_protocol(PyObject* self, PyObject* protocol);
  static PyObject* get_extra_info(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* call_connection_lost(PyObject* self, PyObject* exception);
  static PyObject* get_loop(PyObject* self, void*);
  static void finalize(PyObject* self);

  int log(const char* method, const char* format);

  // For the kinds' own tp_traverse, tp_clear and tp_dealloc.
  int visit_common(visitproc visit, void* arg);
  void clear_common();
  // Runs the finalizer and untracks; false when the finalizer has brought the object back.
  static bool begin_dealloc(PyObject* self);
  static void end_dealloc(PyObject* self);
};

// Finds two optional arguments by position or by name. False with TypeError set.
bool parse_two(const char* method, const char* first_name, const char* second_name, Arguments args, Py_ssize_t count,
               PyObject* keywords, PyObject** first, PyObject** second);

}  // namespace mainspring
