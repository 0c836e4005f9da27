#include "loop/transport.hpp"

#include <cerrno>
#include <system_error>

namespace mainspring {

namespace {

// asyncio.constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES
constexpr int kLoggedLostWrites = 5;

}  // namespace

bool Transport::set_up(Loop* loop, const IoKind* kind, PyObject* protocol, int fd, PyObject* extra_info,
                       PyObject* context, PyObject* waiter) {
  io_.object = object();
  io_.kind = kind;
  loop_ = loop;
  loop_object_ = Py_NewRef(loop->self());
  fd_ = fd;
  extra = extra_info ? PyDict_Copy(extra_info) : PyDict_New();
  context_ = context ? Py_NewRef(context) : PyContext_CopyCurrent();
  protocol_ = Py_NewRef(protocol);
  waiter_ = Py_XNewRef(waiter);
  return extra && context_;
}

bool Transport::schedule_start() {
  if (!loop_->push_step(&io_)) return false;
  loop_->hold(&io_);
  loop_->set_transport(fd_, object());
  open_ = true;
  return true;
}

int Transport::connect(PyObject* context) {
  const Ref protocol = Ref::borrow(protocol_);
  Ref result;
  if (loop_->enter_context(context)) {
    result =
        Ref::steal(io_.kind->connect ? io_.kind->connect(&io_)
                                     : PyObject_CallMethodOneArg(protocol.get(), names().connection_made, object()));
  }
  return result ? 0 : loop_->report_call(protocol.get(), names().connection_made, object(), context);
}

int Transport::connect_in_debug(PyObject* context) {
  Handle* handle = loop_->make_call(protocol_, names().connection_made, object(), context);
  if (!handle) return loop_->report("Exception in callback", object(), protocol_);
  const Ref alive = Ref::steal(reinterpret_cast<PyObject*>(handle));
  return loop_->run_debug(handle);
}

int Transport::run_start(IoObject* io) {
  Transport* self = from(io);
  if (self->started_ && self->ending_) return self->end();
  self->started_ = true;
  if (!self->open_) return 0;
#if PY_VERSION_HEX >= 0x030F0000
  const Ref context = Ref::borrow(self->context_);
#else
  // Before Python 3.15 what connection_made() sets in its context is not seen by later calls; without memory for a copy
  // it is, since a protocol that was never told of its connection would be worse.
  Ref context = Ref::steal(PyContext_Copy(self->context_));
  if (!context) {
    PyErr_Clear();
    context = Ref::borrow(self->context_);
  }
#endif
  const int status = self->loop_->debug ? self->connect_in_debug(context.get()) : self->connect(context.get());
  if (status == 0) return self->finish_start();
  // SystemExit and KeyboardInterrupt leave the loop, which may run again.
  const Ref leaving = take_exception();
  if (self->finish_start() < 0) PyErr_WriteUnraisable(self->object());
  put_exception(Ref::borrow(leaving.get()));
  return -1;
}

int Transport::end() {
  const Ref exception = Ref::steal(std::exchange(ending_, nullptr));
  Ref result;
  if (loop_->enter_context(context_)) result = Ref::steal(call_connection_lost(object(), exception.get()));
  return result ? 0 : loop_->report("Exception in callback connection_lost()", object(), protocol_);
}

int Transport::finish_start() {
  // Nothing is received before connection_made() has been called.
  if (open_ && io_.kind->begin(&io_) < 0) return -1;
  if (!waiter_) return 0;
  const Ref waiter = Ref::steal(std::exchange(waiter_, nullptr));
  const Ref done = Ref::steal(PyObject_CallMethodNoArgs(waiter.get(), names().done));
  if (!done) return -1;
  if (done.get() == Py_True) return 0;
  const Ref result = Ref::steal(PyObject_CallMethodOneArg(waiter.get(), names().set_result, Py_None));
  return result ? 0 : -1;
}

bool Transport::watch(int events, uv::Poller::Serve serve, uv::Poller::Told told) {
  if (!io_.poller) {
    if (events == 0 || !open_ || loop_->closed) return true;
    try {
      io_.poller = uv::Poller::open(loop_->uv(), fd_, this, serve, events, told);
      io_.poller->let_wait();
    } catch (const std::system_error& error) {
      errno = error.code().value();
      PyErr_SetFromErrno(PyExc_OSError);
      return false;
    }
  } else {
    io_.poller->watch(events);
  }
  return true;
}

void Transport::close_poller() {
  if (uv::Poller* poller = std::exchange(io_.poller, nullptr)) poller->close();
}

void Transport::close_file(PyObject** owner) {
  if (!open_) return;
  open_ = false;
  // A finalizer may come here after the loop has forgotten its descriptors.
  if (loop_->transport_of(fd_) == object()) loop_->set_transport(fd_, nullptr);
  const Ref file = Ref::steal(std::exchange(*owner, nullptr));
  if (!file) return;
  const Ref result = Ref::steal(PyObject_CallMethodNoArgs(file.get(), names().close));
  if (!result) PyErr_WriteUnraisable(file.get());
}

int Transport::lose(PyObject* exception) {
  ++lost_writes_;
  if (!loop_->check_open()) return -1;
  const Ref callback = Ref::steal(PyObject_GetAttr(object(), names()._call_connection_lost));
#if PY_VERSION_HEX >= 0x030E0000
  PyObject* context = context_;
#else
  PyObject* context = nullptr;  // the default loop runs it in the context of whoever closed the transport
#endif
  const Ref handle =
      callback ? Ref::steal(reinterpret_cast<PyObject*>(loop_->call_soon(callback.get(), &exception, 1, context)))
               : Ref();
  if (handle) [[likely]]
    return 0;
  if (!PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
  // A connection must not stay half closed for want of a Handle; a step needs no memory.
  PyErr_Clear();
  ending_ = Py_NewRef(exception);
  return loop_->push_step(&io_) ? 0 : -1;
}

Ref Transport::take_fatal_error(const char* message, bool silent) {
  if (leaves_the_loop()) return Ref();
  Ref exception = take_exception();
  if (!silent || !PyObject_TypeCheck(exception.get(), reinterpret_cast<PyTypeObject*>(PyExc_OSError))) {
    if (loop_->report(message, exception.get(), object(), protocol_) < 0) return Ref();
  } else if (loop_->debug) {
    const Ref logged =
        Ref::steal(PyObject_CallMethod(loop_object_, "_log_error", "OsO", object(), message, exception.get()));
    if (!logged) return Ref();
  }
  return exception;
}

int Transport::count_late_write(const char* warning) {
  if (lost_writes_ >= kLoggedLostWrites) {
    const Ref logged = Ref::steal(PyObject_CallMethod(loop_object_, "_log_warning", "s", warning));
    if (!logged) return -1;
  }
  if (lost()) ++lost_writes_;
  return 0;
}

int Transport::log(const char* method, const char* format) {
  const Ref logged = Ref::steal(PyObject_CallMethod(loop_object_, method, "sO", format, object()));
  return logged ? 0 : -1;
}

PyObject* Transport::is_closing(PyObject* self, PyObject*) { return PyBool_FromLong(from(self)->closing_); }

PyObject* Transport::is_reading(PyObject* self, PyObject*) {
  return PyBool_FromLong(!from(self)->closing_ && !from(self)->paused_);
}

PyObject* Transport::get_protocol(PyObject* self, PyObject*) {
  PyObject* protocol = from(self)->protocol_;
  return Py_NewRef(protocol ? protocol : Py_None);
}

PyObject* Transport::set_protocol(PyObject* self, PyObject* protocol) {
  Py_XSETREF(from(self)->protocol_, Py_NewRef(protocol));
  return none();
}

PyObject* Transport::get_loop(PyObject* self, void*) {
  Transport* transport = from(self);
  return Py_NewRef(transport->open_ ? transport->loop_object_ : Py_None);
}

bool parse_two(const char* method, const char* first_name, const char* second_name, Arguments args, Py_ssize_t count,
               PyObject* keywords, PyObject** first, PyObject** second) {
  if (!check_count(method, count, 0, 2)) return false;
  if (count > 0) *first = args[0];
  if (count > 1) *second = args[1];
  const Py_ssize_t keyword_count = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t i = 0; i < keyword_count; ++i) {
    PyObject* keyword = PyTuple_GET_ITEM(keywords, i);
    if (count < 1 && PyUnicode_CompareWithASCIIString(keyword, first_name) == 0) {
      *first = args[count + i];
    } else if (count < 2 && PyUnicode_CompareWithASCIIString(keyword, second_name) == 0) {
      *second = args[count + i];
    } else {
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", method, keyword);
      return false;
    }
  }
  return true;
}

PyObject* Transport::get_extra_info(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Transport* transport = from(self);
  PyObject* name = nullptr;
  PyObject* fallback = Py_None;
  if (!parse_two("get_extra_info", "name", "default", args, count, keywords, &name, &fallback)) return nullptr;
  if (!name) {
    PyErr_SetString(PyExc_TypeError, "get_extra_info() missing required positional argument: 'name'");
    return nullptr;
  }
  if (!transport->extra) return Py_NewRef(fallback);
  if (PyObject* known = PyDict_GetItemWithError(transport->extra, name)) return Py_NewRef(known);
  if (PyErr_Occurred()) return nullptr;
  const IoKind* kind = transport->io_.kind;
  if (!kind->find_info || !PyUnicode_Check(name)) return Py_NewRef(fallback);
  // The rest is made when somebody asks: most servers never do.
  const Ref value = Ref::steal(kind->find_info(&transport->io_, name));
  if (!value) return PyErr_Occurred() ? nullptr : Py_NewRef(fallback);
  if (PyDict_SetItem(transport->extra, name, value.get()) < 0) return nullptr;
  return Py_NewRef(value.get());
}

PyObject* Transport::call_connection_lost(PyObject* self, PyObject* exception) {
  Transport* transport = from(self);
  if (!transport->open_) return none();
  const Ref alive = Ref::borrow(self);
  transport->close_poller();
  const Ref protocol = Ref::borrow(transport->protocol_);
  Ref result = Ref::steal(PyObject_CallMethodOneArg(protocol.get(), transport->names().connection_lost, exception));
  const SavedException saved;
  Py_CLEAR(transport->protocol_);
  transport->io_.kind->close_descriptor(&transport->io_);
  transport->loop_->release(&transport->io_);
  return result.release();
}

void Transport::finalize(PyObject* self) {
  Transport* transport = from(self);
  if (!transport->open_) return;
  const SavedException saved;
  if (PyErr_ResourceWarning(self, 1, "unclosed transport %R", self) < 0) PyErr_WriteUnraisable(self);
  transport->close_poller();
  transport->io_.kind->close_descriptor(&transport->io_);
}

int Transport::visit_common(visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object()));
  Py_VISIT(extra);
  for (PyObject* slot : flow_control_slots) Py_VISIT(slot);
  Py_VISIT(dict);
  Py_VISIT(loop_object_);
  Py_VISIT(protocol_);
  Py_VISIT(context_);
  Py_VISIT(waiter_);
  Py_VISIT(ending_);
  return 0;
}

void Transport::clear_common() {
  Py_CLEAR(extra);
  for (PyObject*& slot : flow_control_slots) Py_CLEAR(slot);
  Py_CLEAR(dict);
  Py_CLEAR(protocol_);
  Py_CLEAR(context_);
  Py_CLEAR(waiter_);
  Py_CLEAR(ending_);
}

bool Transport::begin_dealloc(PyObject* self) {
  if (PyObject_CallFinalizerFromDealloc(self) < 0) return false;
  PyObject_GC_UnTrack(self);
  Transport* transport = from(self);
  if (transport->weak_references) PyObject_ClearWeakRefs(self);
  transport->close_poller();
  transport->clear_common();
  return true;
}

void Transport::end_dealloc(PyObject* self) {
  const Ref loop = Ref::steal(std::exchange(from(self)->loop_object_, nullptr));
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace mainspring
