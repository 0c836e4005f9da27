// SocketTransport and Acceptor as Python sees them.
#include <cstddef>

#include <structmember.h>
#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "streams/acceptor.hpp"
#include "streams/socket_transport.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

PyMethodDef transport_methods[] = {
    single_method("write", SocketTransport::write,
                  "Queues bytes and sends them when the callbacks of this turn have run, without blocking. bytes are "
                  "kept by reference, anything mutable is copied. TypeError for what is not bytes, bytearray or "
                  "memoryview; RuntimeError after write_eof()."),
    single_method("writelines", SocketTransport::writelines, "Queues each of several chunks; see write()."),
    bare_method("write_eof", SocketTransport::write_eof, "Closes the sending side when everything queued is sent."),
    bare_method("can_write_eof", SocketTransport::can_write_eof, "True: sockets can be half closed."),
    bare_method("close", SocketTransport::close,
                "Stops reading, sends what is queued, then calls protocol.connection_lost(None)."),
    bare_method("abort", SocketTransport::abort, "Closes at once; what the kernel does not take now is lost."),
    bare_method("is_closing", Transport::is_closing, "Whether the transport is closing or closed."),
    bare_method("is_reading", Transport::is_reading, "Whether the transport is neither paused nor closing."),
    bare_method("pause_reading", SocketTransport::pause_reading, "Stops calling the protocol with data."),
    bare_method("resume_reading", SocketTransport::resume_reading, "Goes on after pause_reading()."),
    single_method("set_protocol", SocketTransport::set_protocol, "Makes another protocol the transport's."),
    bare_method("get_protocol", Transport::get_protocol, "The current protocol; None once it is closed."),
    keyword_method("get_extra_info", Transport::get_extra_info,
                   "Information about the connection: 'socket', 'sockname' and 'peername', or `default`."),
    bare_method("get_write_buffer_size", SocketTransport::get_write_buffer_size,
                "The number of bytes that wait for the peer."),
    bare_method("get_write_buffer_limits", SocketTransport::get_write_buffer_limits,
                "The low and the high water mark in bytes."),
    keyword_method("set_write_buffer_limits", SocketTransport::set_write_buffer_limits,
                   "Sets the high and the low water mark in bytes, 64 KiB and a quarter of it by default. ValueError "
                   "unless high >= low >= 0."),
    single_method("_call_connection_lost", Transport::call_connection_lost, nullptr),
    single_method("_force_close", SocketTransport::force_close, nullptr),
    {},
};

PyGetSetDef transport_attributes[] = {
    {"_loop", Transport::get_loop, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {},
};

// SocketTransport is not of standard layout, but its first members are.
struct TransportLayout {
  PyObject_HEAD PyObject* extra;
  PyObject* dict;
  PyObject* weak_references;
};

PyMemberDef transport_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(TransportLayout, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(TransportLayout, weak_references), READONLY, nullptr},
    {},
};

constexpr const char* kTransportDoc =
    "A transport over a connected stream socket (asyncio documentation, \"Transports\"). Made by the loop.";

PyType_Slot transport_slots[] = {
    {Py_tp_doc, const_cast<char*>(kTransportDoc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(SocketTransport::dealloc)},
    {Py_tp_finalize, reinterpret_cast<void*>(Transport::finalize)},
    {Py_tp_traverse, reinterpret_cast<void*>(SocketTransport::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(SocketTransport::clear)},
    {Py_tp_repr, reinterpret_cast<void*>(SocketTransport::repr)},
    {Py_tp_methods, transport_methods},
    {Py_tp_getset, transport_attributes},
    {Py_tp_members, transport_members},
    {0, nullptr},
};

PyType_Spec transport_spec = {"mainspring._core.SocketTransport", sizeof(SocketTransport), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                              transport_slots};

PyMethodDef acceptor_methods[] = {
    bare_method("resume", Acceptor::resume, "Goes on accepting after a pause."),
    bare_method("stop", Acceptor::stop, "Stops for good; the socket stays open."),
    {},
};

constexpr const char* kAcceptorDoc = "Accepts connections from one listening socket.";

PyType_Slot acceptor_slots[] = {
    {Py_tp_doc, const_cast<char*>(kAcceptorDoc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(Acceptor::dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(Acceptor::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(Acceptor::clear)},
    {Py_tp_methods, acceptor_methods},
    {0, nullptr},
};

PyType_Spec acceptor_spec = {"mainspring._core.Acceptor", sizeof(Acceptor), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                             acceptor_slots};

PyObject* or_null(PyObject* object) { return object == Py_None ? nullptr : object; }

// _open_socket_transport(sock, protocol, waiter, extra, server, context)
PyObject* open_socket_transport(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_open_socket_transport", count, 6, 6)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[0]);
  if (fd < 0) return nullptr;
  SocketTransport::Origin origin{loop, args[1], fd};
  origin.socket = args[0];
  origin.waiter = or_null(args[2]);
  origin.extra = or_null(args[3]);
  origin.server = or_null(args[4]);
  origin.context = or_null(args[5]);
  return guarded([&] { return SocketTransport::make(origin); });
}

// _accept_on(sock, protocol_factory, server, tls, backlog, context)
PyObject* accept_on(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_accept_on", count, 6, 6)) return nullptr;
  const int backlog = static_cast<int>(PyLong_AsLong(args[4]));
  if (backlog == -1 && PyErr_Occurred()) return nullptr;
  return guarded([&] { return Acceptor::make(loop, args[1], args[0], args[2], args[3], backlog, args[5]); });
}

}  // namespace

PyMethodDef stream_methods_of_loop[] = {
    method("_open_socket_transport", open_socket_transport, nullptr),
    method("_accept_on", accept_on, nullptr),
    {},
};

void bind_streams(py::module_& module, ModuleState& state) {
  const py::object base = py::module_::import("asyncio.transports").attr("Transport");
  auto* base_type = reinterpret_cast<PyTypeObject*>(base.ptr());
  if (base_type->tp_basicsize != static_cast<Py_ssize_t>(offsetof(TransportLayout, dict))) {
    throw py::import_error("asyncio.Transport of this Python has another layout than mainspring was written for");
  }
  const py::tuple bases = py::make_tuple(base);
  state.socket_transport_type = make_type(module, transport_spec, bases.ptr());
  const py::object modes = py::module_::import("asyncio.constants").attr("_SendfileMode");
  const py::handle transport(reinterpret_cast<PyObject*>(state.socket_transport_type));
  transport.attr("_start_tls_compatible") = true;
  transport.attr("_sendfile_compatible") = modes.attr("FALLBACK");
  transport.attr("max_size") = Loop::kReadBufferSize;
  state.acceptor_type = make_type(module, acceptor_spec);
}

}  // namespace mainspring
