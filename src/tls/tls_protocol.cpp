// The life of a TlsProtocol: found to be drivable, visited by the collector, freed.
#include "tls/tls_protocol.hpp"

#include <cstddef>
#include <limits>

namespace mainspring {

namespace {

constexpr size_t kObjects[] = {
    offsetof(TlsProtocol, state),
    offsetof(TlsProtocol, app_protocol),
    offsetof(TlsProtocol, app_protocol_is_buffer),
    offsetof(TlsProtocol, app_protocol_get_buffer),
    offsetof(TlsProtocol, app_protocol_buffer_updated),
    offsetof(TlsProtocol, transport),
    offsetof(TlsProtocol, app_reading_paused),
    offsetof(TlsProtocol, ssl_writing_paused),
    offsetof(TlsProtocol, app_writing_paused),
    offsetof(TlsProtocol, ssl_reading_paused),
    offsetof(TlsProtocol, write_backlog),
    offsetof(TlsProtocol, sslobj),
    offsetof(TlsProtocol, outgoing_high.value),
    offsetof(TlsProtocol, outgoing_low.value),
    offsetof(TlsProtocol, incoming_high.value),
    offsetof(TlsProtocol, incoming_low.value),
    offsetof(TlsProtocol, loop_object_),
    offsetof(TlsProtocol, driven_),
    offsetof(TlsProtocol, raw_),
};

PyObject*& field(PyObject* self, size_t offset) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + offset);
}

// The attribute, when it is there.
Ref attribute(PyObject* object, PyObject* name) { return Ref::steal(PyObject_GetAttr(object, name)); }

// Python's callbacks for messages and for keys keep their exceptions for the call of `_ssl` that they happened in.
bool has_callbacks(const Names& names, PyObject* context) {
  const Ref messages = attribute(context, names._msg_callback);
  const Ref keys = attribute(context, names.keylog_filename);
  return messages.get() != Py_None || keys.get() != Py_None;
}

}  // namespace

bool TlsProtocol::check(PyObject* object) {
  const PyTypeObject* type = Py_TYPE(object);
  return type->tp_dealloc == dealloc || (type->tp_base && type->tp_base->tp_dealloc == dealloc);
}

int TlsProtocol::drive(Loop* loop, PyObject* object) {
  TlsState* tls = TlsState::of(loop->state());
  if (!tls) return -1;
  TlsProtocol* self = from(object);
  if (!tls->usable || self->tls_ || !self->sslobj) return 0;
  if (reinterpret_cast<PyObject*>(Py_TYPE(self->sslobj)) != tls->object_type.get()) return 0;
  const Names& names = loop->names();
  Ref raw = attribute(self->sslobj, names._sslobj);
  const Ref incoming = attribute(object, names._incoming);
  const Ref outgoing = attribute(object, names._outgoing);
  const Ref context = raw ? attribute(raw.get(), names.context) : Ref();
  const bool fits = context && incoming && outgoing &&
                    reinterpret_cast<PyObject*>(Py_TYPE(raw.get())) == tls->raw_type.get() &&
                    !has_callbacks(names, context.get()) &&
                    tls->find_pointers(raw.get(), context.get(), incoming.get(), outgoing.get(), &self->pointers_);
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
    PyErr_Clear();
  }
  if (!fits) return 0;
  self->loop_ = loop;
  self->loop_object_ = Py_NewRef(loop->self());
  self->raw_ = raw.release();
  self->driven_ = Py_NewRef(self->sslobj);
  self->tls_ = tls;
  return 1;
}

PyObject* TlsProtocol::get_app_protocol(PyObject* self, void*) {
  PyObject* protocol = from(self)->app_protocol;
  if (!protocol) missing("_app_protocol");
  return Py_XNewRef(protocol);
}

int TlsProtocol::set_app_protocol(PyObject* self, PyObject* value, void*) {
  from(self)->dict_size_ = -1;
  if (!value && !from(self)->app_protocol) {
    missing("_app_protocol");
    return -1;
  }
  Py_XSETREF(from(self)->app_protocol, Py_XNewRef(value));
  return 0;
}

PyObject* TlsProtocol::get_mark(PyObject* self, void* which) {
  PyObject* value = field(self, reinterpret_cast<size_t>(which));
  return Py_NewRef(value ? value : Py_None);
}

int TlsProtocol::set_mark(PyObject* self, PyObject* value, void* which) {
  const auto offset = reinterpret_cast<size_t>(which);
  auto* mark = reinterpret_cast<Mark*>(reinterpret_cast<char*>(self) + offset);
  const bool high = offset == offsetof(TlsProtocol, outgoing_high) || offset == offsetof(TlsProtocol, incoming_high);
  constexpr Py_ssize_t least = std::numeric_limits<Py_ssize_t>::min();
  constexpr Py_ssize_t most = std::numeric_limits<Py_ssize_t>::max();
  Py_ssize_t limit = high ? least : most;
  if (value && PyLong_Check(value)) {
    int overflow = 0;
    limit = PyLong_AsLongAndOverflow(value, &overflow);
    if (overflow != 0) limit = overflow > 0 ? most : least;
  }
  mark->limit = limit;
  PyObject* old = std::exchange(mark->value, Py_XNewRef(value));
  Py_XDECREF(old);
  return 0;
}

int TlsProtocol::traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  for (const size_t offset : kObjects) Py_VISIT(field(self, offset));
  return 0;
}

int TlsProtocol::clear(PyObject* self) {
  // The pointers are not used once what they belong to is gone.
  from(self)->tls_ = nullptr;
  for (const size_t offset : kObjects) Py_CLEAR(field(self, offset));
  return 0;
}

void TlsProtocol::dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace mainspring
