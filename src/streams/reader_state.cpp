#include "streams/reader_state.hpp"

#include <new>

#include "streams/stream_operation.hpp"

namespace mainspring {

namespace {

ReaderState* state_of(PyObject* object) { return reinterpret_cast<ReaderState*>(object); }

PyObject* or_none(PyObject* object) { return Py_NewRef(object ? object : Py_None); }

PyObject* reference_or_null(PyObject* object) { return object == Py_None ? nullptr : Py_NewRef(object); }

}  // namespace

ReaderState* ReaderState::make(StreamClasses* classes) {
  auto* self = state_of(classes->reader_state->tp_alloc(classes->reader_state, 0));
  if (!self) return nullptr;
  new (&self->buffer) StreamBuffer();
  self->classes = classes;
  self->limit_value = -1;
  return self;
}

ReaderState* ReaderState::of(PyObject* reader) {
  StreamClasses* classes = StreamClasses::of(reader);
  const Ref dict = Ref::steal(PyObject_GenericGetDict(reader, nullptr));
  if (!dict) return nullptr;
  PyObject* key = classes->names()._native_stream;
  PyObject* found = PyDict_GetItemWithError(dict.get(), key);
  if (found && Py_TYPE(found) == classes->reader_state) [[likely]]
    return state_of(Py_NewRef(found));
  if (PyErr_Occurred()) return nullptr;
  Ref made = Ref::steal(reinterpret_cast<PyObject*>(make(classes)));
  if (!made || PyDict_SetItem(dict.get(), key, made.get()) < 0) return nullptr;
  return state_of(made.release());
}

ReaderState* ReaderState::adopt(StreamClasses* classes, PyObject* reader) {
  Names& names = classes->names();
  Ref made = Ref::steal(reinterpret_cast<PyObject*>(make(classes)));
  Ref dict = Ref::steal(PyObject_GenericGetDict(reader, nullptr));
  if (!made || !dict) return nullptr;
  ReaderState* self = state_of(made.get());
  PyObject* const keys[] = {names._loop,   names._limit,     names._buffer,    names._eof,
                            names._waiter, names._exception, names._transport, names._paused};
  PyObject* values[8];
  for (int i = 0; i < 8; ++i) {
    values[i] = PyDict_GetItemWithError(dict.get(), keys[i]);
    if (!values[i]) return nullptr;
  }
  self->loop = Py_NewRef(values[0]);
  self->set_limit(values[1]);
  self->buffer.replace(values[2]);
  const int eof = PyObject_IsTrue(values[3]);
  self->waiter = reference_or_null(values[4]);
  self->exception = reference_or_null(values[5]);
  self->transport = reference_or_null(values[6]);
  const int paused = PyObject_IsTrue(values[7]);
  if (eof < 0 || paused < 0) return nullptr;
  self->eof = eof;
  self->paused = paused;
  if (PyObject_SetAttr(reader, classes->names().__class__, reinterpret_cast<PyObject*>(classes->native_reader)) < 0) {
    // A Python with another layout: the reader works as it is.
    PyErr_Clear();
    return nullptr;
  }
  dict.reset(PyObject_GenericGetDict(reader, nullptr));
  if (!dict || PyDict_SetItem(dict.get(), names._native_stream, made.get()) < 0) return nullptr;
  for (PyObject* key : keys) {
    if (PyDict_DelItem(dict.get(), key) < 0) return nullptr;
  }
  self->buffer.settle();
  self->dict_size = PyDict_GET_SIZE(dict.get());
  return state_of(made.release());
}

bool ReaderState::abandon(PyObject* reader) {
  const Ref owned = Ref::steal(reinterpret_cast<PyObject*>(of(reader)));
  const Ref dict = Ref::steal(PyObject_GenericGetDict(reader, nullptr));
  if (!owned || !dict) return false;
  ReaderState* self = state_of(owned.get());
  Names& names = self->classes->names();
  const Ref buffer = Ref::steal(self->buffer.expose());
  if (!buffer) return false;
  const struct {
    PyObject* key;
    PyObject* value;
  } fields[] = {
      {names._loop, self->loop},           {names._limit, self->limit},
      {names._buffer, buffer.get()},       {names._eof, self->eof ? Py_True : Py_False},
      {names._waiter, self->waiter},       {names._exception, self->exception},
      {names._transport, self->transport}, {names._paused, self->paused ? Py_True : Py_False},
  };
  for (const auto& field : fields) {
    if (PyDict_SetItem(dict.get(), field.key, field.value ? field.value : Py_None) < 0) return false;
  }
  return PyDict_DelItem(dict.get(), names._native_stream) == 0;
}

void ReaderState::set_limit(PyObject* value) {
  limit_value = -1;
  if (PyLong_CheckExact(value)) {
    limit_value = PyLong_AsSsize_t(value);
    if (limit_value < 0 || limit_value > PY_SSIZE_T_MAX / 2) limit_value = -1;
    PyErr_Clear();
  }
  Py_XSETREF(limit, Py_NewRef(value));
}

bool ReaderState::feed(const char* data, size_t size) {
  if (!waiter || !operation) return buffer.append(data, size) && fed();
  bool fits = false;
  switch (operation->kind) {
    case StreamOperation::kRead:
      fits = buffer.empty() ? buffer.hand_over(data, size, static_cast<size_t>(operation->count))
                            : buffer.append(data, size);
      break;
    case StreamOperation::kReadExactly:
      fits = buffer.fill(data, size, static_cast<size_t>(operation->count));
      break;
    default:
      fits = buffer.empty() && operation->ends_with_separator(data, size) ? buffer.hand_over(data, size, size)
                                                                          : buffer.append(data, size);
  }
  return fits && fed();
}

size_t ReaderState::most() const {
  const bool reads = waiter && operation && operation->kind == StreamOperation::kRead && buffer.empty();
  return reads ? static_cast<size_t>(operation->count) : 0;
}

bool ReaderState::feed_bytes(Ref data) {
  const auto size = static_cast<size_t>(PyBytes_GET_SIZE(data.get()));
  if (size > most() || buffer.exposed()) return feed(PyBytes_AS_STRING(data.get()), size);
  buffer.adopt(std::move(data));
  return fed();
}

bool ReaderState::fed() {
  // On the default loop the operation would wake, resume the transport if it was paused, and wait again.
  if (waits_for_more()) return true;
  return wake() && pause_if_full();
}

bool ReaderState::waits_for_more() const {
  return waiter && operation && operation->kind == StreamOperation::kReadExactly &&
         buffer.size() < static_cast<size_t>(operation->count);
}

bool ReaderState::wake() {
  const Ref woken = Ref::steal(std::exchange(waiter, nullptr));
  operation = nullptr;
  if (!woken) return true;
  Names& names = classes->names();
  if (Ref::steal(PyObject_CallMethodOneArg(woken.get(), names.set_result, Py_None))) [[likely]]
    return true;
  // asyncio asks first. A cancelled Future refuses the result, so asking afterwards is the same.
  Ref error = take_exception();
  const Ref cancelled = Ref::steal(PyObject_CallMethodNoArgs(woken.get(), names.cancelled));
  if (!cancelled) return false;
  if (cancelled.get() == Py_True) return true;
  put_exception(std::move(error));
  return false;
}

bool ReaderState::pause_if_full() {
  if (!transport || paused || buffer.size() <= 2 * static_cast<size_t>(limit_value)) return true;
  const Ref from = Ref::borrow(transport);
  if (Ref::steal(PyObject_CallMethodNoArgs(from.get(), classes->names().pause_reading))) {
    paused = true;
    return true;
  }
  if (!PyErr_ExceptionMatches(PyExc_NotImplementedError)) return false;
  // It cannot be paused, so everything is buffered.
  PyErr_Clear();
  Py_CLEAR(transport);
  return true;
}

bool ReaderState::maybe_resume() {
  if (!paused || buffer.size() > static_cast<size_t>(limit_value)) [[likely]]
    return true;
  return resume();
}

bool ReaderState::resume() {
  paused = false;
  const Ref from = Ref::steal(or_none(transport));
  return static_cast<bool>(Ref::steal(PyObject_CallMethodNoArgs(from.get(), classes->names().resume_reading)));
}

int ReaderState::clear(PyObject* self) {
  ReaderState* state = state_of(self);
  state->buffer.clear();
  Py_CLEAR(state->loop);
  Py_CLEAR(state->limit);
  Py_CLEAR(state->waiter);
  Py_CLEAR(state->exception);
  Py_CLEAR(state->transport);
  return 0;
}

int ReaderState::traverse(PyObject* self, visitproc visit, void* arg) {
  ReaderState* state = state_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(state->loop);
  Py_VISIT(state->limit);
  Py_VISIT(state->waiter);
  Py_VISIT(state->exception);
  Py_VISIT(state->transport);
  Py_VISIT(state->buffer.exposed_object());
  return 0;
}

void ReaderState::dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  state_of(self)->buffer.~StreamBuffer();
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// --- the reader's attributes -----------------------------------------------------------------------------------------

namespace {

int cannot_delete() {
  PyErr_SetString(PyExc_AttributeError, "a stream reader's attributes cannot be deleted");
  return -1;
}

// Fields that hold an object, None as nullptr.
template <PyObject* ReaderState::* field>
PyObject* get_object(PyObject* self, void*) {
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  return state ? or_none(state_of(state.get())->*field) : nullptr;
}

template <PyObject* ReaderState::* field>
int set_object(PyObject* self, PyObject* value, void*) {
  if (!value) return cannot_delete();
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  if (!state) return -1;
  Py_XSETREF(state_of(state.get())->*field, reference_or_null(value));
  return 0;
}

int set_waiter(PyObject* self, PyObject* value, void*) {
  if (!value) return cannot_delete();
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  if (!state) return -1;
  state_of(state.get())->operation = nullptr;
  Py_XSETREF(state_of(state.get())->waiter, reference_or_null(value));
  return 0;
}

int set_limit(PyObject* self, PyObject* value, void*) {
  if (!value) return cannot_delete();
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  if (!state) return -1;
  state_of(state.get())->set_limit(value);
  return 0;
}

template <bool ReaderState::* field>
PyObject* get_flag(PyObject* self, void*) {
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  return state ? PyBool_FromLong(state_of(state.get())->*field) : nullptr;
}

template <bool ReaderState::* field>
int set_flag(PyObject* self, PyObject* value, void*) {
  if (!value) return cannot_delete();
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  const int truth = state ? PyObject_IsTrue(value) : -1;
  if (truth < 0) return -1;
  state_of(state.get())->*field = truth;
  return 0;
}

PyObject* get_buffer(PyObject* self, void*) {
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  return state ? state_of(state.get())->buffer.expose() : nullptr;
}

int set_buffer(PyObject* self, PyObject* value, void*) {
  if (!value) return cannot_delete();
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  if (!state) return -1;
  state_of(state.get())->buffer.replace(value);
  return 0;
}

}  // namespace

PyObject* get_stream_class(PyObject* self, void*) {
  StreamClasses* classes = StreamClasses::of(self);
  ClassGuard& guard = Py_TYPE(self) == classes->native_reader ? classes->reader : classes->writer;
  return Py_NewRef(reinterpret_cast<PyObject*>(guard.type()));
}

int set_stream_class(PyObject* self, PyObject* type, void*) {
  StreamClasses* classes = StreamClasses::of(self);
  if (type && Py_TYPE(self) == classes->native_reader && !ReaderState::abandon(self)) return -1;
  return Py_TYPE(classes->object_class)->tp_descr_set(classes->object_class, self, type);
}

PyGetSetDef native_reader_attributes[] = {
    {"__class__", get_stream_class, set_stream_class, nullptr, nullptr},
    {"_loop", get_object<&ReaderState::loop>, set_object<&ReaderState::loop>, nullptr, nullptr},
    {"_limit", get_object<&ReaderState::limit>, set_limit, nullptr, nullptr},
    {"_buffer", get_buffer, set_buffer, nullptr, nullptr},
    {"_eof", get_flag<&ReaderState::eof>, set_flag<&ReaderState::eof>, nullptr, nullptr},
    {"_waiter", get_object<&ReaderState::waiter>, set_waiter, nullptr, nullptr},
    {"_exception", get_object<&ReaderState::exception>, set_object<&ReaderState::exception>, nullptr, nullptr},
    {"_transport", get_object<&ReaderState::transport>, set_object<&ReaderState::transport>, nullptr, nullptr},
    {"_paused", get_flag<&ReaderState::paused>, set_flag<&ReaderState::paused>, nullptr, nullptr},
    {},
};

}  // namespace mainspring
