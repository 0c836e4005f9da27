// The native halves of the TLS protocol and its transport as Python sees them.
#include <cstddef>

#include "bindings/bindings.hpp"
#include "python/native.hpp"
#include "tls/tls_protocol.hpp"
#include "tls/tls_transport.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

PyMethodDef protocol_methods[] = {
    bare_method("_do_read", TlsProtocol::do_read, nullptr),
    bare_method("_process_outgoing", TlsProtocol::process_outgoing, nullptr),
    single_method("_on_handshake_complete", TlsProtocol::on_handshake_complete, nullptr),
    {},
};

PyMemberDef object_member(const char* name, size_t offset) {
  return {name, T_OBJECT_EX, static_cast<Py_ssize_t>(offset), 0, nullptr};
}

// The fields that the native half reads, under the names by which asyncio.sslproto sets them.
PyMemberDef protocol_members[] = {
    object_member("_state", offsetof(TlsProtocol, state)),
    object_member("_app_protocol_is_buffer", offsetof(TlsProtocol, app_protocol_is_buffer)),
    object_member("_app_protocol_get_buffer", offsetof(TlsProtocol, app_protocol_get_buffer)),
    object_member("_app_protocol_buffer_updated", offsetof(TlsProtocol, app_protocol_buffer_updated)),
    object_member("_transport", offsetof(TlsProtocol, transport)),
    object_member("_app_reading_paused", offsetof(TlsProtocol, app_reading_paused)),
    object_member("_ssl_writing_paused", offsetof(TlsProtocol, ssl_writing_paused)),
    object_member("_app_writing_paused", offsetof(TlsProtocol, app_writing_paused)),
    object_member("_ssl_reading_paused", offsetof(TlsProtocol, ssl_reading_paused)),
    object_member("_write_backlog", offsetof(TlsProtocol, write_backlog)),
    object_member("_sslobj", offsetof(TlsProtocol, sslobj)),
    {"_write_buffer_size", T_PYSSIZET, offsetof(TlsProtocol, write_buffer_size), 0, nullptr},
    {},
};

PyGetSetDef mark(const char* name, size_t offset) {
  return {name, TlsProtocol::get_mark, TlsProtocol::set_mark, nullptr, reinterpret_cast<void*>(offset)};
}

PyGetSetDef protocol_attributes[] = {
    {"_app_protocol", TlsProtocol::get_app_protocol, TlsProtocol::set_app_protocol, nullptr, nullptr},
    mark("_outgoing_high_water", offsetof(TlsProtocol, outgoing_high)),
    mark("_outgoing_low_water", offsetof(TlsProtocol, outgoing_low)),
    mark("_incoming_high_water", offsetof(TlsProtocol, incoming_high)),
    mark("_incoming_low_water", offsetof(TlsProtocol, incoming_low)),
    {},
};

constexpr const char* kProtocolDoc = "The native half of the protocol between a stream transport and a TLS transport.";

PyType_Slot protocol_slots[] = {
    {Py_tp_doc, const_cast<char*>(kProtocolDoc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(TlsProtocol::dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(TlsProtocol::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(TlsProtocol::clear)},
    {Py_tp_methods, protocol_methods},
    {Py_tp_members, protocol_members},
    {Py_tp_getset, protocol_attributes},
    {0, nullptr},
};

PyType_Spec protocol_spec = {"mainspring._core.TlsProtocol", sizeof(TlsProtocol), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, protocol_slots};

Names& names_of(PyTypeObject* defining) {
  return (*static_cast<ModuleState**>(PyType_GetModuleState(defining)))->names;
}

PyObject* write(PyObject* self, PyTypeObject* defining, Arguments args, Py_ssize_t count, PyObject* keywords) {
  return TlsTransport::write(names_of(defining), self, args, count, keywords);
}

PyObject* writelines(PyObject* self, PyTypeObject* defining, Arguments args, Py_ssize_t count, PyObject* keywords) {
  return TlsTransport::writelines(names_of(defining), self, args, count, keywords);
}

using DefinedMethod = PyObject* (*)(PyObject*, PyTypeObject*, Arguments, Py_ssize_t, PyObject*);

PyMethodDef defined_method(const char* name, DefinedMethod function) {
  return {name, as_c_function(function), METH_METHOD | METH_FASTCALL | METH_KEYWORDS, nullptr};
}

PyMethodDef writing_methods[] = {
    defined_method("write", write),
    defined_method("writelines", writelines),
    {},
};

constexpr const char* kWritingDoc = "The native methods of a TLS transport.";

PyType_Slot writing_slots[] = {
    {Py_tp_doc, const_cast<char*>(kWritingDoc)},
    {Py_tp_methods, writing_methods},
    {0, nullptr},
};

PyType_Spec writing_spec = {"mainspring._core.TlsWriting", sizeof(PyObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, writing_slots};

// A module that nobody imports: through it the methods above, which belong to no object of ours, find the state.
PyModuleDef carrier = {PyModuleDef_HEAD_INIT,
                       "mainspring._core.tls",
                       nullptr,
                       sizeof(ModuleState*),
                       nullptr,
                       nullptr,
                       nullptr,
                       nullptr,
                       nullptr};

// _drive_tls(protocol)
PyObject* drive_tls(PyObject* self, PyObject* protocol) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  if (!TlsProtocol::check(protocol)) {
    PyErr_Format(PyExc_TypeError, "a TlsProtocol is required, not %.200s", Py_TYPE(protocol)->tp_name);
    return nullptr;
  }
  const int driven = TlsProtocol::drive(loop, protocol);
  return driven < 0 ? nullptr : PyBool_FromLong(driven);
}

// _finds_tls_pointers(raw, context, incoming, outgoing)
PyObject* finds_tls_pointers(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_finds_tls_pointers", count, 4, 4)) return nullptr;
  TlsState* tls = TlsState::of(loop->state());
  if (!tls) return nullptr;
  TlsState::Pointers found;
  return PyBool_FromLong(tls->usable && tls->find_pointers(args[0], args[1], args[2], args[3], &found));
}

}  // namespace

PyMethodDef tls_methods_of_loop[] = {
    single_method("_drive_tls", drive_tls, nullptr),
    method("_finds_tls_pointers", finds_tls_pointers, nullptr),
    {},
};

void bind_tls(py::module_& module, ModuleState& state) {
  state.byte_sink = {make_type(module, protocol_spec), TlsProtocol::is_ready, TlsProtocol::take};
  state.tls_transports.is_open = TlsTransport::is_open;
  state.tls_transports.write = TlsTransport::write_from_stream;
  const py::object carrying = py::reinterpret_steal<py::object>(PyModule_Create(&carrier));
  if (!carrying) throw py::error_already_set();
  *static_cast<ModuleState**>(PyModule_GetState(carrying.ptr())) = &state;
  const py::object writing =
      py::reinterpret_steal<py::object>(PyType_FromModuleAndSpec(carrying.ptr(), &writing_spec, nullptr));
  if (!writing) throw py::error_already_set();
  module.attr("TlsWriting") = writing;
}

}  // namespace mainspring
