#include "streams/stream_operation.hpp"

#include <algorithm>
#include <cstring>

#include "loop/transport.hpp"

namespace mainspring {

namespace {

StreamOperation* operation_of(PyObject* self) { return reinterpret_cast<StreamOperation*>(self); }

constexpr size_t kNotFound = static_cast<size_t>(-1);

size_t find(const char* data, size_t size, size_t offset, const char* separator, size_t length) {
  if (size < offset + length) return kNotFound;
  const void* found = length == 1 ? std::memchr(data + offset, separator[0], size - offset)
                                  : memmem(data + offset, size - offset, separator, length);
  return found ? static_cast<size_t>(static_cast<const char*>(found) - data) : kNotFound;
}

// While a step runs, the operation is alive and cannot be entered again.
class Running {
 public:
  explicit Running(StreamOperation* operation) : operation_(operation), alive_(Ref::borrow(operation->object())) {
    operation_->running = true;
  }
  ~Running() { operation_->running = false; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  StreamOperation* operation_;
  Ref alive_;
};

}  // namespace

PyObject* StreamOperation::make(StreamClasses* classes, Kind kind, PyObject* owner, ReaderState* stolen_state,
                                Py_ssize_t count, PyObject* separator) {
  StreamOperation* self;
  if (classes->free_count > 0) [[likely]] {
    self = classes->free_operations[--classes->free_count];
    // The freelist keeps the reference to the type, so only the object itself is new.
    Py_SET_REFCNT(self->object(), 1);
  } else {
    self = PyObject_GC_New(StreamOperation, classes->operation);
    if (!self) {
      Py_XDECREF(reinterpret_cast<PyObject*>(stolen_state));
      return nullptr;
    }
    self->classes = classes;
  }
  self->owner = Py_NewRef(owner);
  self->state = stolen_state;
  self->separator = Py_XNewRef(separator);
  self->iterator = nullptr;
  self->count = count;
  self->searched = 0;
  self->kind = kind;
  self->phase = kCreated;
  self->running = false;
  PyObject_GC_Track(self->object());
  return self->object();
}

// --- steps -----------------------------------------------------------------------------------------------------------

PySendResult StreamOperation::step(PyObject* value, PyObject** result) {
  *result = nullptr;
  if (!resumable()) return PYGEN_ERROR;
  switch (phase) {
    case kCreated:
      if (value && !check_first_value(value)) return PYGEN_ERROR;
      break;
    case kWaiting: {
      const Running guard(this);
      PyObject* yielded = nullptr;
      const PySendResult outcome = PyIter_Send(iterator, Py_None, &yielded);
      if (outcome == PYGEN_NEXT) {
        *result = yielded;
        return PYGEN_NEXT;
      }
      Py_XDECREF(yielded);
      stop_waiting();
      if (outcome == PYGEN_ERROR) {
        end();
        return PYGEN_ERROR;
      }
      break;
    }
    case kDelegated:
      return forward(value, result);
    case kDone:
      break;
  }
  const Running guard(this);
  const PySendResult outcome = advance(result);
  if (outcome != PYGEN_NEXT) end();
  return outcome;
}

PySendResult StreamOperation::advance(PyObject** result) {
  switch (kind) {
    case kDrain:
      return drain(result);
    case kRead:
      return read(result);
    case kReadExactly:
      return read_exactly(result);
    default:
      return read_until(result);
  }
}

PySendResult StreamOperation::read(PyObject** result) {
  // Once it has waited it takes what there is, even if that is nothing: another reader may have been faster.
  const bool waited = searched != 0;
  if (waited ? !state->buffer.usable() : !state->usable()) return delegate(result);
  const size_t size = state->buffer.size();
  if (size == 0 && !state->eof && !waited && count != 0) {
    searched = 1;
    return wait(result);
  }
  return take(std::min(size, static_cast<size_t>(count)), result);
}

PySendResult StreamOperation::read_exactly(PyObject** result) {
  if (!state->usable()) return delegate(result);
  if (state->buffer.size() >= static_cast<size_t>(count)) return take(static_cast<size_t>(count), result);
  return state->eof ? delegate(result) : wait(result);
}

void StreamOperation::find_separator(const char** data, size_t* size) const {
  *data = separator ? PyBytes_AS_STRING(separator) : "\n";
  *size = separator ? static_cast<size_t>(PyBytes_GET_SIZE(separator)) : 1;
}

bool StreamOperation::ends_with_separator(const char* data, size_t size) const {
  const char* bytes;
  size_t length;
  find_separator(&bytes, &length);
  const size_t found = find(data, size, 0, bytes, length);
  return found != kNotFound && found + length == size;
}

PySendResult StreamOperation::read_until(PyObject** result) {
  if (!state->usable()) return delegate(result);
  const char* bytes;
  size_t length;
  find_separator(&bytes, &length);
  StreamBuffer::View all;
  if (!state->buffer.view(&all)) return PYGEN_ERROR;
  const auto limit = static_cast<size_t>(state->limit_value);
  const size_t found = find(all.data, all.size, std::min(searched, all.size), bytes, length);
  if (found != kNotFound) return found > limit ? delegate(result) : take(found + length, result);
  if (all.size >= length) {
    searched = all.size + 1 - length;
    if (searched > limit) return delegate(result);
  }
  if (!state->eof) return wait(result);
  return kind == kReadUntil ? delegate(result) : take_rest(result);
}

PySendResult StreamOperation::take(size_t size, PyObject** result) {
  Ref data = Ref::steal(state->buffer.take(size));
  if (!data || !state->maybe_resume()) return PYGEN_ERROR;
  state->buffer.settle();
  *result = data.release();
  return PYGEN_RETURN;
}

// What readline() gives at the end of the stream: the rest. The transport stays as it is.
PySendResult StreamOperation::take_rest(PyObject** result) {
  Ref data = Ref::steal(state->buffer.take(state->buffer.size()));
  if (!data) return PYGEN_ERROR;
  if (kind == kNext && PyBytes_GET_SIZE(data.get()) == 0) {
    PyErr_SetNone(PyExc_StopAsyncIteration);
    return PYGEN_ERROR;
  }
  *result = data.release();
  return PYGEN_RETURN;
}

PySendResult StreamOperation::wait(PyObject** result) {
  if (state->waiter) return delegate(result);
  if (state->paused && !state->resume()) return PYGEN_ERROR;
  const Ref loop = Ref::borrow(state->loop);
  const Ref future = Ref::steal(PyObject_CallMethodNoArgs(loop.get(), classes->names().create_future));
  if (!future) return PYGEN_ERROR;
  Py_XSETREF(state->waiter, Py_NewRef(future.get()));
  state->operation = this;
  const PyAsyncMethods* methods = Py_TYPE(future.get())->tp_as_async;
  if (methods && methods->am_await) {
    iterator = methods->am_await(future.get());
  } else {
    PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression", Py_TYPE(future.get())->tp_name);
  }
  if (!iterator) {
    stop_waiting();
    return PYGEN_ERROR;
  }
  const PySendResult outcome = PyIter_Send(iterator, Py_None, result);
  if (outcome == PYGEN_NEXT) [[likely]] {
    phase = kWaiting;
    return PYGEN_NEXT;
  }
  stop_waiting();
  if (outcome == PYGEN_ERROR) return PYGEN_ERROR;
  Py_CLEAR(*result);
  return advance(result);
}

void StreamOperation::stop_waiting() {
  const Ref old = Ref::steal(std::exchange(iterator, nullptr));
  if (!state) return;
  state->operation = nullptr;
  const SavedException saved;
  Py_CLEAR(state->waiter);
}

// --- drain -----------------------------------------------------------------------------------------------------------

// Whether drain() has nothing to wait for and nothing to raise. False when asyncio's own coroutine has to find out.
bool StreamOperation::drained() {
  Names& names = classes->names();
  const Ref dict = Ref::steal(PyObject_GenericGetDict(owner, nullptr));
  if (!dict) return false;
  PyObject* reader = PyDict_GetItemWithError(dict.get(), names._reader);
  PyObject* transport = PyDict_GetItemWithError(dict.get(), names._transport);
  PyObject* protocol = PyDict_GetItemWithError(dict.get(), names._protocol);
  if (!reader || !transport || !protocol) return false;
  if (reader != Py_None) {
    if (Py_TYPE(reader) != classes->native_reader) return false;
    const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(reader)));
    if (!state || reinterpret_cast<ReaderState*>(state.get())->exception) return false;
  }
  const ModuleState& module = *classes->module;
  const bool open = Py_TYPE(transport) == module.socket_transport_type ? !Transport::from(transport)->closing_
                    : Py_TYPE(transport) == module.tls_transports.type
                        ? module.tls_transports.is_open(*classes->module, transport)
                        : false;
  if (!open) return false;
  if (Py_TYPE(protocol) != classes->protocol.type() || !classes->protocol.intact()) return false;
  const Ref fields = Ref::steal(PyObject_GenericGetDict(protocol, nullptr));
  return fields && PyDict_GetItemWithError(fields.get(), names._connection_lost) == Py_False &&
         PyDict_GetItemWithError(fields.get(), names._paused) == Py_False;
}

PySendResult StreamOperation::drain(PyObject** result) {
  if (!drained()) {
    if (PyErr_Occurred()) return PYGEN_ERROR;
    return delegate(result);
  }
  *result = none();
  return PYGEN_RETURN;
}

// --- what is left to asyncio -----------------------------------------------------------------------------------------

PyObject* StreamOperation::method() const {
  const Names& names = classes->names();
  PyObject* const methods[] = {names.read,      names.readline,  names.readexactly,
                               names.readuntil, names.__anext__, names.drain};
  return methods[kind];
}

PyObject* StreamOperation::make_coroutine() {
  ClassGuard& guard = kind == kDrain ? classes->writer : classes->reader;
  const Ref function = Ref::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(guard.type()), method()));
  if (!function) return nullptr;
  Ref argument;
  if (kind == kRead || kind == kReadExactly) {
    argument = Ref::steal(PyLong_FromSsize_t(count));
    if (!argument) return nullptr;
  } else if (kind == kReadUntil) {
    argument = Ref::borrow(separator);
  }
  return PyObject_CallFunctionObjArgs(function.get(), owner, argument.get(), nullptr);
}

PySendResult StreamOperation::delegate(PyObject** result) {
  Ref coroutine = Ref::steal(make_coroutine());
  if (!coroutine) return PYGEN_ERROR;
  if (!PyCoro_CheckExact(coroutine.get())) {
    const PyAsyncMethods* methods = Py_TYPE(coroutine.get())->tp_as_async;
    if (!methods || !methods->am_await) {
      PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression",
                   Py_TYPE(coroutine.get())->tp_name);
      return PYGEN_ERROR;
    }
    coroutine = Ref::steal(methods->am_await(coroutine.get()));
    if (!coroutine) return PYGEN_ERROR;
  }
  iterator = coroutine.release();
  phase = kDelegated;
  const PySendResult outcome = PyIter_Send(iterator, Py_None, result);
  return outcome;
}

PySendResult StreamOperation::forward(PyObject* value, PyObject** result) {
  const Running guard(this);
  const PySendResult outcome = PyIter_Send(iterator, value ? value : Py_None, result);
  if (outcome != PYGEN_NEXT) end();
  return outcome;
}

// A coroutine that is done keeps nothing alive.
void StreamOperation::end() {
  phase = kDone;
  const SavedException saved;
  clear(object());
}

// --- the coroutine protocol ------------------------------------------------------------------------------------------

PyObject* StreamOperation::finish(PySendResult outcome, PyObject* result) {
  if (outcome == PYGEN_NEXT) return result;
  if (outcome == PYGEN_RETURN) {
    const Ref value = Ref::steal(result);
    stop_iteration(value.get());
  }
  return nullptr;
}

#if PY_VERSION_HEX >= 0x030C0000

// `await` gets a value from an iterator as a StopIteration. One exception serves again and again, as long as nobody
// has kept it and nothing was attached to it.
bool StreamOperation::stop_with(PyObject* value) {
  PyObject* object = classes->stop_iteration;
  if (!object) {
    const Ref nothing = Ref::borrow(Py_None);
    object = classes->stop_iteration = PyObject_CallOneArg(PyExc_StopIteration, nothing.get());
    if (!object) return false;
  }
  auto* exception = reinterpret_cast<PyStopIterationObject*>(object);
  if (Py_REFCNT(object) != 1 || !exception->args || Py_REFCNT(exception->args) != 1 || exception->traceback ||
      exception->context || exception->cause || exception->dict || exception->notes) {
    Py_CLEAR(classes->stop_iteration);
    return false;
  }
  exchange_stop_value(value);
  PyErr_SetRaisedException(Py_NewRef(object));
  return true;
}

void StreamOperation::exchange_stop_value(PyObject* value) {
  auto* exception = reinterpret_cast<PyStopIterationObject*>(classes->stop_iteration);
  const Ref old = Ref::steal(std::exchange(exception->value, Py_NewRef(value)));
  const Ref argument = Ref::steal(PyTuple_GET_ITEM(exception->args, 0));
  PyTuple_SET_ITEM(exception->args, 0, Py_NewRef(value));
}

void StreamOperation::forget_stop_value() {
  PyObject* object = classes->stop_iteration;
  if (!object || Py_REFCNT(object) != 1) return;
  auto* exception = reinterpret_cast<PyStopIterationObject*>(object);
  if (exception->value != Py_None && exception->args && Py_REFCNT(exception->args) == 1) exchange_stop_value(Py_None);
}

#else

// Before Python 3.12 an exception is only made when somebody looks at it.
bool StreamOperation::stop_with(PyObject*) { return false; }
void StreamOperation::forget_stop_value() {}

#endif

PySendResult StreamOperation::am_send(PyObject* self, PyObject* value, PyObject** result) {
  return operation_of(self)->step(value, result);
}

PyObject* StreamOperation::next(PyObject* self) {
  PyObject* result;
  const PySendResult outcome = operation_of(self)->step(nullptr, &result);
  if (outcome == PYGEN_RETURN && result == Py_None) {
    // An iterator that ends without an exception has returned None.
    Py_DECREF(result);
    return nullptr;
  }
  if (outcome == PYGEN_RETURN && operation_of(self)->stop_with(result)) {
    Py_DECREF(result);
    return nullptr;
  }
  return operation_of(self)->finish(outcome, result);
}

PyObject* StreamOperation::send(PyObject* self, PyObject* value) {
  PyObject* result;
  const PySendResult outcome = operation_of(self)->step(value, &result);
  return operation_of(self)->finish(outcome, result);
}

PyObject* StreamOperation::await(PyObject* self) {
  const Phase phase = operation_of(self)->phase;
  return await_coroutine(self, phase == kWaiting || phase == kDelegated);
}

PyObject* StreamOperation::throw_into(PyObject* self, Arguments args, Py_ssize_t count) {
  StreamOperation* operation = operation_of(self);
  if (!check_count("throw", count, 1, 3)) return nullptr;
  if (!operation->resumable()) return nullptr;
  const Running guard(operation);
  if (operation->phase == kCreated) {
    // A coroutine that has not begun knows best what may be thrown into it.
    operation->iterator = operation->make_coroutine();
    if (!operation->iterator) return nullptr;
    operation->phase = kDelegated;
  }
  const Ref method = Ref::steal(PyObject_GetAttrString(operation->iterator, "throw"));
  if (!method) return nullptr;
  PyObject* result = PyObject_Vectorcall(method.get(), args, static_cast<size_t>(count), nullptr);
  if (result) return result;
  if (operation->phase == kWaiting) operation->stop_waiting();
  operation->end();
  return nullptr;
}

PyObject* StreamOperation::close(PyObject* self, PyObject*) {
  StreamOperation* operation = operation_of(self);
  if (!check_resumable(operation->running, false)) return nullptr;
  if (operation->phase == kWaiting) {
    const Running guard(operation);
    operation->phase = kDone;
    operation->stop_waiting();
  } else if (operation->phase == kDelegated) {
    const Running guard(operation);
    operation->phase = kDone;
    const Ref iterator = Ref::borrow(operation->iterator);
    return PyObject_CallMethodNoArgs(iterator.get(), operation->classes->names().close);
  }
  operation->end();
  return none();
}

PyObject* StreamOperation::get_name(PyObject* self, void*) { return Py_NewRef(operation_of(self)->method()); }

PyObject* StreamOperation::get_qualified_name(PyObject* self, void*) {
  const StreamOperation* operation = operation_of(self);
  return PyUnicode_FromFormat("%s.%U", operation->kind == kDrain ? "StreamWriter" : "StreamReader",
                              operation->method());
}

PyObject* StreamOperation::get_running(PyObject* self, void*) { return PyBool_FromLong(operation_of(self)->running); }

PyObject* StreamOperation::repr(PyObject* self) {
  const Ref name = Ref::steal(get_qualified_name(self, nullptr));
  return name ? PyUnicode_FromFormat("<coroutine object %U at %p>", name.get(), self) : nullptr;
}

void StreamOperation::finalize(PyObject* self) {
  StreamOperation* operation = operation_of(self);
  const SavedException saved;
  if (operation->phase == kCreated) {
    operation->phase = kDone;
    const Ref result = Ref::steal(PyObject_CallOneArg(operation->classes->warn_unawaited, self));
    if (!result) PyErr_WriteUnraisable(self);
  } else if (operation->phase != kDone) {
    const Ref closed = Ref::steal(close(self, nullptr));
    if (!closed) PyErr_WriteUnraisable(self);
  }
}

int StreamOperation::traverse(PyObject* self, visitproc visit, void* arg) {
  StreamOperation* operation = operation_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(operation->owner);
  Py_VISIT(reinterpret_cast<PyObject*>(operation->state));
  Py_VISIT(operation->iterator);
  return 0;
}

int StreamOperation::clear(PyObject* self) {
  StreamOperation* operation = operation_of(self);
  if (operation->state && operation->state->operation == operation) operation->state->operation = nullptr;
  Py_CLEAR(operation->iterator);
  Py_CLEAR(operation->separator);
  Py_CLEAR(operation->owner);
  Py_XDECREF(reinterpret_cast<PyObject*>(std::exchange(operation->state, nullptr)));
  return 0;
}

void StreamOperation::dealloc(PyObject* self) {
  StreamOperation* operation = operation_of(self);
  if (operation->phase != kDone && PyObject_CallFinalizerFromDealloc(self) < 0) return;
  PyObject_GC_UnTrack(self);
  clear(self);
  operation->forget_stop_value();
  StreamClasses* classes = operation->classes;
  // The collector remembers of an object that its finalizer has run, so such a one is not used again.
  if (classes->free_count < StreamClasses::kMostFree && !PyObject_GC_IsFinalized(self)) {
    classes->free_operations[classes->free_count++] = operation;
    return;
  }
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

}  // namespace mainspring
