#include "tls/tls_transport.hpp"

#include "loop/transport.hpp"

namespace mainspring {

namespace {

// Leaves a call to the method of asyncio's own class.
PyObject* call_python(PyObject* self, PyObject* name, Arguments args, Py_ssize_t count, PyObject* keywords) {
  const Ref function = Ref::steal(PyObject_GetAttr(self, name));
  return function ? PyObject_Vectorcall(function.get(), args, static_cast<size_t>(count), keywords) : nullptr;
}

bool writes_now(PyObject* protocol) {
  return TlsProtocol::check(protocol) && TlsProtocol::from(protocol)->can_write_now();
}

// The protocol, when it can take data now. An empty Ref also when there was an error, which is dropped: it comes again.
Ref protocol_that_writes(PyObject* self, Names& names) {
  Ref protocol = Ref::steal(PyObject_GetAttr(self, names._ssl_protocol));
  if (!protocol) PyErr_Clear();
  return protocol && writes_now(protocol.get()) ? std::move(protocol) : Ref();
}

bool is_plain_and_full(PyObject* data) {
  if (!TlsProtocol::is_plain(data)) return false;
  if (PyBytes_CheckExact(data)) [[likely]]
    return PyBytes_GET_SIZE(data) > 0;
  const Py_ssize_t size = PyObject_Size(data);
  if (size < 0) PyErr_Clear();
  return size > 0;
}

// The transport's own attributes, when neither it nor the class has `method` replaced. No exception is left set.
Ref attributes_without(ModuleState& module, PyObject* self, PyObject* method) {
  if (!module.tls->transport.intact()) return Ref();
  Ref dict = Ref::steal(PyObject_GenericGetDict(self, nullptr));
  if (dict && PyDict_Contains(dict.get(), method) == 0) return dict;
  PyErr_Clear();
  return Ref();
}

}  // namespace

PyObject* TlsTransport::write(Names& names, PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  if (count == 1 && !keywords && is_plain_and_full(args[0])) {
    const Ref protocol = protocol_that_writes(self, names);
    if (protocol) return TlsProtocol::from(protocol.get())->write_now(args, 1) ? none() : nullptr;
  }
  return call_python(self, names._python_write, args, count, keywords);
}

PyObject* TlsTransport::writelines(Names& names, PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  if (count == 1 && !keywords && (PyList_CheckExact(args[0]) || PyTuple_CheckExact(args[0]))) {
    // A tuple of our own: what is called on the way may change the program's list.
    const Ref chunks = Ref::steal(PySequence_Tuple(args[0]));
    if (!chunks) return nullptr;
    const Py_ssize_t size = PyTuple_GET_SIZE(chunks.get());
    bool plain = size > 0;
    for (Py_ssize_t i = 0; plain && i < size; ++i) plain = is_plain_and_full(PyTuple_GET_ITEM(chunks.get(), i));
    const Ref protocol = plain ? protocol_that_writes(self, names) : Ref();
    if (protocol) {
      Arguments items = &PyTuple_GET_ITEM(chunks.get(), 0);
      return TlsProtocol::from(protocol.get())->write_now(items, size) ? none() : nullptr;
    }
  }
  return call_python(self, names._python_writelines, args, count, keywords);
}

bool TlsTransport::is_open(ModuleState& module, PyObject* self) {
  const Ref attributes = attributes_without(module, self, module.names.is_closing);
  if (!attributes) return false;
  PyObject* protocol = PyDict_GetItemWithError(attributes.get(), module.names._ssl_protocol);
  const bool open = protocol && TlsProtocol::check(protocol) &&
                    PyDict_GetItemWithError(attributes.get(), module.names._closed) == Py_False;
  PyErr_Clear();
  if (!open) return false;
  // Since CPython 3.12.9 and 3.13.2 a transport is closing when the one beneath is (gh-118950): drain() lets the loop
  // go on, so that the protocol hears of it. Where this says no, asyncio's own coroutine decides.
  PyObject* beneath = TlsProtocol::from(protocol)->transport;
  return beneath && Py_TYPE(beneath) == module.socket_transport_type && !Transport::from(beneath)->closing_;
}

PyObject* TlsTransport::write_from_stream(ModuleState& module, PyObject* self, PyObject* data) {
  Names& names = module.names;
  const Ref attributes = is_plain_and_full(data) ? attributes_without(module, self, names.write) : Ref();
  if (attributes) {
    const Ref protocol = Ref::borrow(PyDict_GetItemWithError(attributes.get(), names._ssl_protocol));
    if (protocol && writes_now(protocol.get())) {
      return TlsProtocol::from(protocol.get())->write_now(&data, 1) ? none() : nullptr;
    }
    PyErr_Clear();
  }
  return PyObject_CallMethodOneArg(self, names.write, data);
}

}  // namespace mainspring
