// The methods of SocketTransport as programs call them.
#include <sys/socket.h>

#include "streams/socket_transport.hpp"

namespace mainspring {

bool SocketTransport::may_write(const char* method) {
  if (!eof_written_ && !empty_waiter_) [[likely]]
    return true;
  if (eof_written_) {
    PyErr_Format(PyExc_RuntimeError, "Cannot call %s() after write_eof()", method);
  } else {
    PyErr_Format(PyExc_RuntimeError, "unable to %s; sendfile is in progress", method);
  }
  return false;
}

int SocketTransport::wake_empty_waiter(PyObject* method, PyObject* value) {
  const Ref done = Ref::steal(PyObject_CallMethodNoArgs(empty_waiter_, names().done));
  if (!done) return -1;
  if (done.get() == Py_True) return 0;
  const Ref result = Ref::steal(PyObject_CallMethodOneArg(empty_waiter_, method, value));
  return result ? 0 : -1;
}

PyObject* SocketTransport::make_empty_waiter(PyObject* self, PyObject*) {
  SocketTransport* transport = from(self);
  if (transport->empty_waiter_) {
    PyErr_SetString(PyExc_RuntimeError, "Empty waiter is already set");
    return nullptr;
  }
  if (flush(&transport->io_) < 0) return nullptr;
  transport->empty_waiter_ = PyObject_CallMethodNoArgs(transport->loop_object_, transport->names().create_future);
  if (!transport->empty_waiter_) return nullptr;
  if (transport->queue_.empty() && transport->wake_empty_waiter(transport->names().set_result, Py_None) < 0) {
    return nullptr;
  }
  return Py_NewRef(transport->empty_waiter_);
}

PyObject* SocketTransport::reset_empty_waiter(PyObject* self, PyObject*) {
  Py_CLEAR(from(self)->empty_waiter_);
  return none();
}

// True when the connection is lost, so that the write only counts. With an exception set when the log raised one.
bool SocketTransport::count_lost_write() {
  if (!lost()) return false;
  count_late_write("socket.send() raised exception.");
  return true;
}

PyObject* SocketTransport::write(PyObject* self, PyObject* data) {
  SocketTransport* transport = from(self);
  if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
    const Ref name = Ref::steal(PyType_GetName(Py_TYPE(data)));
    if (!name) return nullptr;
#if PY_VERSION_HEX >= 0x030E0000
    PyErr_Format(PyExc_TypeError, "data argument must be a bytes, bytearray, or memoryview object, not %R", name.get());
#else
    PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not %R", name.get());
#endif
    return nullptr;
  }
  if (!transport->may_write("write")) return nullptr;
  const int more_than_nothing = PyBytes_CheckExact(data) ? PyBytes_GET_SIZE(data) > 0 : PyObject_IsTrue(data);
  if (more_than_nothing <= 0) return more_than_nothing < 0 ? nullptr : none();
  if (transport->count_lost_write()) return PyErr_Occurred() ? nullptr : none();
  const size_t waited = transport->queue_.size();
  if (!transport->enqueue(data)) {
    // A memoryview that is not contiguous: for the default loop, an error of the socket.
    if (transport->fatal_error("Fatal write error on socket transport") < 0) return nullptr;
    return none();
  }
  return transport->after_write(waited) < 0 ? nullptr : none();
}

namespace {

// Since Python 3.14 writelines() looks only at what is true, so that even None is let pass.
[[maybe_unused]] bool is_skipped(PyObject* chunk) {
  return PY_VERSION_HEX >= 0x030E0000 && PyObject_IsTrue(chunk) == 0;
}

}  // namespace

PyObject* SocketTransport::writelines(PyObject* self, PyObject* chunks) {
#if PY_VERSION_HEX < 0x030C0000
  // In Python 3.11 it is one write() of everything joined, with that method's rules and texts.
  const Ref nothing = Ref::steal(PyBytes_FromStringAndSize(nullptr, 0));
  const Ref joined = nothing ? Ref::steal(PyObject_CallMethod(nothing.get(), "join", "O", chunks)) : Ref();
  return joined ? write(self, joined.get()) : nullptr;
#else
  SocketTransport* transport = from(self);
  if (!transport->may_write("writelines")) return nullptr;
  const Ref list = Ref::steal(PySequence_Fast(chunks, "writelines() takes an iterable of bytes-like objects"));
  if (!list) return nullptr;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(list.get());
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* chunk = PySequence_Fast_GET_ITEM(list.get(), i);
    if (PyObject_CheckBuffer(chunk) || is_skipped(chunk)) continue;
    const Ref name = Ref::steal(PyType_GetName(Py_TYPE(chunk)));
    if (!name) return nullptr;
    PyErr_Format(PyExc_TypeError, "memoryview: a bytes-like object is required, not %R", name.get());
    return nullptr;
  }
  if (count == 0) return none();
  if (transport->count_lost_write()) return PyErr_Occurred() ? nullptr : none();
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* chunk = PySequence_Fast_GET_ITEM(list.get(), i);
    if (PyObject_CheckBuffer(chunk) && !transport->enqueue(chunk)) {
      if (transport->fatal_error("Fatal write error on socket transport") < 0) return nullptr;
      return none();
    }
  }
  if (!transport->loop_->closed || transport->queue_.empty()) [[likely]] {
    return transport->after_write(0) < 0 ? nullptr : none();
  }
  if (transport->send_queued() < 0) return nullptr;
  return transport->queue_.empty() || transport->lost() || transport->loop_->check_open() ? none() : nullptr;
#endif
}

PyObject* SocketTransport::write_eof(PyObject* self, PyObject*) {
  SocketTransport* transport = from(self);
  if (transport->closing_ || transport->eof_written_) return none();
  if (transport->flush(&transport->io_) < 0) return nullptr;
  if (transport->closing_) return none();
  transport->eof_written_ = true;
  if (!transport->queue_.empty()) return none();
  if (::shutdown(transport->fd_, SHUT_WR) < 0) return PyErr_SetFromErrno(PyExc_OSError);
  transport->loop_->expect_events();
  return none();
}

PyObject* SocketTransport::can_write_eof(PyObject*, PyObject*) { Py_RETURN_TRUE; }

PyObject* SocketTransport::close(PyObject* self, PyObject*) {
  SocketTransport* transport = from(self);
  if (transport->closing_) return none();
  // What was written goes first; a failing connection is closed by that already.
  if (transport->flush(&transport->io_) < 0) return nullptr;
  if (transport->closing_) return none();
  transport->closing_ = true;
  if (transport->queue_.empty()) return transport->lose_connection(Py_None) < 0 ? nullptr : none();
  transport->update_interest();
  return none();
}

PyObject* SocketTransport::abort(PyObject* self, PyObject*) { return force_close(self, Py_None); }

PyObject* SocketTransport::force_close(PyObject* self, PyObject* exception) {
  SocketTransport* transport = from(self);
  // The default loop sends in write(), so what the kernel can take now is not lost by an abort().
  if (transport->flush(&transport->io_) < 0) return nullptr;
  return transport->force_close_with(exception) < 0 ? nullptr : none();
}

PyObject* SocketTransport::pause_reading(PyObject* self, PyObject*) {
  SocketTransport* transport = from(self);
  if (transport->closing_ || transport->paused_) return none();
  transport->paused_ = true;
  transport->update_interest();
  return transport->log_debug("%r pauses reading") < 0 ? nullptr : none();
}

PyObject* SocketTransport::resume_reading(PyObject* self, PyObject*) {
  SocketTransport* transport = from(self);
  if (transport->closing_ || !transport->paused_) return none();
  transport->paused_ = false;
  transport->eof_received_ = false;
  if (!transport->loop_->check_open() || !transport->update_interest()) return nullptr;
  transport->loop_->expect_events();
  return transport->log_debug("%r resumes reading") < 0 ? nullptr : none();
}

PyObject* SocketTransport::set_protocol(PyObject* self, PyObject* protocol) {
  return from(self)->use_protocol(protocol) ? none() : nullptr;
}

PyObject* SocketTransport::python_socket() {
  if (!socket_) {
    const Ref make = Ref::steal(PyObject_GetAttr(loop_->self(), names()._make_socket));
    socket_ = make ? PyObject_CallFunction(make.get(), "iii", own_.family(), number_, fd_) : nullptr;
    if (!socket_) return nullptr;
  }
  return socket_;
}

PyObject* SocketTransport::find_info(IoObject* io, PyObject* name) {
  SocketTransport* self = from(io);
  Names& names = self->names();
  if (PyUnicode_Compare(name, names.peername) == 0) return self->peer_.to_python();
  if (PyUnicode_Compare(name, names.sockname) == 0) return self->own_.to_python();
  if (PyUnicode_Compare(name, names.socket) != 0) return nullptr;
  if (!self->open_) {
    return PyObject_CallMethod(self->loop_object_, "_make_closed_socket", "i", static_cast<int>(self->own_.family()));
  }
  // Whoever asks may use the socket to look at, or to wait for, what was written.
  if (flush(io) < 0) return nullptr;
  PyObject* socket = self->python_socket();
  return socket ? PyObject_CallMethodOneArg(self->loop_object_, names._wrap_socket, socket) : nullptr;
}

PyObject* SocketTransport::get_write_buffer_size(PyObject* self, PyObject*) {
  SocketTransport* transport = from(self);
  if (transport->flush(&transport->io_) < 0) return nullptr;
  return PyLong_FromSize_t(transport->queue_.size());
}

PyObject* SocketTransport::get_write_buffer_limits(PyObject* self, PyObject*) { return from(self)->flow_.limits(); }

PyObject* SocketTransport::set_write_buffer_limits(PyObject* self, Arguments args, Py_ssize_t count,
                                                   PyObject* keywords) {
  SocketTransport* transport = from(self);
  if (!transport->flow_.set_limits(args, count, keywords)) return nullptr;
  if (flush(&transport->io_) < 0) return nullptr;
  return transport->flow_.maybe_pause(transport, transport->queue_.size()) < 0 ? nullptr : none();
}

PyObject* SocketTransport::get_protocol_paused(PyObject* self, void*) {
  return PyBool_FromLong(from(self)->flow_.paused());
}

PyObject* SocketTransport::repr(PyObject* self) {
  SocketTransport* transport = from(self);
  const char* state = !transport->open_ ? " closed" : (transport->closing_ ? " closing" : "");
  if (!transport->open_ || transport->loop_->closed) {
    return PyUnicode_FromFormat("<SocketTransport%s fd=%d>", state, transport->fd_);
  }
  // The default loop has sent already what was written in this turn.
  if (transport->io_.flush_pending && transport->loop_->runs_here() && flush(&transport->io_) < 0) return nullptr;
  const int interest = transport->watched();
  return PyUnicode_FromFormat("<SocketTransport%s fd=%d read=%s write=<%s, bufsize=%zu>>", state, transport->fd_,
                              interest & uv::Poller::kReadable ? "polling" : "idle",
                              interest & uv::Poller::kWritable ? "polling" : "idle", transport->queue_.size());
}

}  // namespace mainspring
