#include "streams/native_writer.hpp"

#include "streams/native_reader.hpp"
#include "streams/socket_transport.hpp"
#include "streams/stream_operation.hpp"

namespace mainspring {

PyObject* NativeWriter::write(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  StreamClasses* classes = StreamClasses::of(self);
  Names& names = classes->names();
  if (count != 1 || keywords || !classes->writer.intact()) return call_base(self, names.write, args, count, keywords);
  const Ref dict = Ref::steal(PyObject_GenericGetDict(self, nullptr));
  if (!dict) return nullptr;
  const Ref transport = Ref::borrow(PyDict_GetItemWithError(dict.get(), names._transport));
  if (!transport) return PyErr_Occurred() ? nullptr : call_base(self, names.write, args, count, keywords);
  Ref result;
  if (Py_TYPE(transport.get()) == classes->module->socket_transport_type &&
      !SocketTransport::from(transport.get())->dict) [[likely]] {
    result = Ref::steal(SocketTransport::write(transport.get(), args[0]));
  } else if (Py_TYPE(transport.get()) == classes->module->tls_transports.type) {
    result = Ref::steal(classes->module->tls_transports.write(*classes->module, transport.get(), args[0]));
  } else {
    result = Ref::steal(PyObject_CallMethodOneArg(transport.get(), names.write, args[0]));
  }
  return result ? none() : nullptr;
}

PyObject* NativeWriter::drain(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  StreamClasses* classes = StreamClasses::of(self);
  if (count != 0 || keywords || !classes->writer.intact()) {
    return call_base(self, classes->names().drain, args, count, keywords);
  }
  return StreamOperation::make(classes, StreamOperation::kDrain, self, nullptr);
}

void adopt_writer(StreamClasses* classes, PyObject* writer) {
  if (Py_TYPE(writer) != classes->writer.type() || !classes->writer.intact()) return;
  const SavedException saved;
  if (PyObject_SetAttr(writer, classes->names().__class__, reinterpret_cast<PyObject*>(classes->native_writer)) < 0) {
    PyErr_Clear();
  }
}

void notice_writer(StreamClasses* classes) {
  PyFrameObject* frame = PyEval_GetFrame();
  if (!frame) return;
  const Ref code = Ref::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
  if (code.get() != classes->writer_init_code) return;
  const SavedException saved;
#if PY_VERSION_HEX >= 0x030C0000
  const Ref writer = Ref::steal(PyFrame_GetVarString(frame, "self"));
#else
  const Ref locals = Ref::steal(PyFrame_GetLocals(frame));
  const Ref writer = locals ? Ref::steal(PyMapping_GetItemString(locals.get(), "self")) : Ref();
#endif
  const Ref reader = writer ? Ref::steal(PyObject_GetAttr(writer.get(), classes->names()._reader)) : Ref();
  if (reader && Py_TYPE(reader.get()) == classes->native_reader) adopt_writer(classes, writer.get());
  PyErr_Clear();
}

// --- ConnectedCallback -----------------------------------------------------------------------------------------------

namespace {

ConnectedCallback* callback_of(PyObject* self) { return reinterpret_cast<ConnectedCallback*>(self); }

}  // namespace

Ref wrap_connected_callback(StreamClasses* classes, PyObject* protocol_dict) {
  PyObject* callback = PyDict_GetItemWithError(protocol_dict, classes->names()._client_connected_cb);
  if (!callback || callback == Py_None || !classes->writer.intact()) return Ref();
  Ref made = Ref::steal(classes->connected_callback->tp_alloc(classes->connected_callback, 0));
  if (!made) return Ref();
  callback_of(made.get())->classes = classes;
  callback_of(made.get())->callback = Py_NewRef(callback);
  if (PyDict_SetItem(protocol_dict, classes->names()._client_connected_cb, made.get()) < 0) return Ref();
  return made;
}

void unwrap_connected_callback(StreamClasses* classes, PyObject* protocol_dict, PyObject* wrapped) {
  PyObject* key = classes->names()._client_connected_cb;
  if (PyDict_GetItemWithError(protocol_dict, key) == wrapped) {
    PyDict_SetItem(protocol_dict, key, callback_of(wrapped)->callback);
  }
  PyErr_Clear();
}

PyObject* ConnectedCallback::call(PyObject* self, PyObject* args, PyObject* keywords) {
  StreamClasses* classes = callback_of(self)->classes;
  const Ref alive = Ref::borrow(self);
  const Ref callback = Ref::borrow(callback_of(self)->callback);
  if (PyTuple_GET_SIZE(args) == 2) {
    PyObject* writer = PyTuple_GET_ITEM(args, 1);
    adopt_writer(classes, writer);
    const Ref protocol = Ref::steal(PyObject_GetAttr(writer, classes->names()._protocol));
    const Ref dict = protocol ? Ref::steal(PyObject_GenericGetDict(protocol.get(), nullptr)) : Ref();
    if (!dict) return nullptr;
    unwrap_connected_callback(classes, dict.get(), self);
  }
  return PyObject_Call(callback.get(), args, keywords);
}

int ConnectedCallback::traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(callback_of(self)->callback);
  return 0;
}

int ConnectedCallback::clear(PyObject* self) {
  Py_CLEAR(callback_of(self)->callback);
  return 0;
}

void ConnectedCallback::dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace mainspring
