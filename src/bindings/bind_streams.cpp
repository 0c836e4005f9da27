// SocketTransport and Acceptor as Python sees them.
#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "bindings/transport_slots.hpp"
#include "streams/acceptor.hpp"
#include "streams/pipe_reader.hpp"
#include "streams/pipe_writer.hpp"
#include "streams/socket_transport.hpp"
#include "system/is_tcp.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

constexpr Signature kWrite{"write", 1, {"data"}};
constexpr Signature kWriteLines{"writelines", 1, {"list_of_data"}};

PyMethodDef socket_transport_methods[] = {
    keyword_method("write", (named<kWrite, SocketTransport::write>),
                   "Queues bytes and sends them when the callbacks of this turn have run, without blocking. bytes are "
                   "kept by reference, anything mutable is copied. TypeError for what is not bytes, bytearray or "
                   "memoryview; RuntimeError after write_eof()."),
    keyword_method("writelines", (named<kWriteLines, SocketTransport::writelines>),
                   "Queues each of several chunks; see write()."),
    bare_method("write_eof", SocketTransport::write_eof, "Closes the sending side when everything queued is sent."),
    bare_method("can_write_eof", SocketTransport::can_write_eof, "True: sockets can be half closed."),
    bare_method("close", SocketTransport::close,
                "Stops reading, sends what is queued, then calls protocol.connection_lost(None)."),
    bare_method("abort", SocketTransport::abort, "Closes at once; what the kernel does not take now is lost."),
    bare_method("pause_reading", SocketTransport::pause_reading, "Stops calling the protocol with data."),
    bare_method("resume_reading", SocketTransport::resume_reading, "Goes on after pause_reading()."),
    keyword_method("set_protocol", (named<kSetProtocol, SocketTransport::set_protocol>),
                   "Makes another protocol the transport's."),
    bare_method("get_write_buffer_size", SocketTransport::get_write_buffer_size,
                "The number of bytes that wait for the peer."),
    bare_method("get_write_buffer_limits", SocketTransport::get_write_buffer_limits,
                "The low and the high water mark in bytes."),
    keyword_method("set_write_buffer_limits", SocketTransport::set_write_buffer_limits,
                   "Sets the high and the low water mark in bytes, 64 KiB and a quarter of it by default. ValueError "
                   "unless high >= low >= 0."),
    bare_method("_make_empty_waiter", SocketTransport::make_empty_waiter, nullptr),
    bare_method("_reset_empty_waiter", SocketTransport::reset_empty_waiter, nullptr),
    single_method("_force_close", SocketTransport::force_close, nullptr),
    closing_row(),
    reading_row(),
    get_protocol_row(),
    extra_info_row(),
    connection_lost_row(),
    {},
};

// BaseEventLoop's fallback for sendfile() looks at the last.
PyGetSetDef socket_transport_attributes[] = {
    transport_attributes[0],
    transport_attributes[1],
    {"_protocol_paused", SocketTransport::get_protocol_paused, nullptr, nullptr, nullptr},
    {},
};

PyMethodDef pipe_reader_methods[] = {
    bare_method("close", PipeReader::close, "Stops reading, then calls protocol.connection_lost(None)."),
    bare_method("pause_reading", PipeReader::pause_reading, "Stops calling the protocol with data."),
    bare_method("resume_reading", PipeReader::resume_reading, "Goes on after pause_reading()."),
    closing_row(),
    reading_row(),
    get_protocol_row(),
    set_protocol_row(),
    extra_info_row(),
    connection_lost_row(),
    {},
};

PyMethodDef pipe_writer_methods[] = {
    keyword_method("write", (named<kWrite, PipeWriter::write>),
                   "Queues bytes and sends them when the callbacks of this turn have run, without blocking."),
    bare_method("write_eof", PipeWriter::write_eof, "Closes the pipe when everything queued is sent."),
    bare_method("can_write_eof", PipeWriter::can_write_eof, "True: a pipe ends by being closed."),
    bare_method("close", PipeWriter::write_eof, "Sends what is queued, then calls protocol.connection_lost(None)."),
    bare_method("abort", PipeWriter::abort, "Closes at once; what the kernel does not take now is lost."),
    bare_method("get_write_buffer_size", PipeWriter::get_write_buffer_size, "The bytes that wait for the reader."),
    bare_method("get_write_buffer_limits", PipeWriter::get_write_buffer_limits,
                "The low and the high water mark in bytes."),
    keyword_method("set_write_buffer_limits", PipeWriter::set_write_buffer_limits,
                   "Sets the high and the low water mark in bytes. ValueError unless high >= low >= 0."),
    closing_row(),
    get_protocol_row(),
    set_protocol_row(),
    extra_info_row(),
    connection_lost_row(),
    {},
};

TransportSlots<SocketTransport> socket_transport_slots(
    "A transport over a connected stream socket (asyncio documentation, \"Transports\"). Made by the loop.",
    socket_transport_methods, socket_transport_attributes);
TransportSlots<PipeReader> pipe_reader_slots("A transport that reads from a pipe. Made by the loop.",
                                             pipe_reader_methods);
TransportSlots<PipeWriter> pipe_writer_slots("A transport that writes to a pipe. Made by the loop.",
                                             pipe_writer_methods);

PyMethodDef acceptor_methods[] = {
    bare_method("resume", Acceptor::resume, "Goes on accepting after a pause."),
    bare_method("stop", Acceptor::stop, "Stops for good; the socket stays open."),
    {},
};

PyMemberDef acceptor_members[] = {
    {"server", T_OBJECT_EX, offsetof(Acceptor, server), READONLY, "The server that it accepts for, None without one."},
    {},
};

constexpr const char* kAcceptorDoc = "Accepts connections from one listening socket.";

PyType_Slot acceptor_slots[] = {
    {Py_tp_doc, const_cast<char*>(kAcceptorDoc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(Acceptor::dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(Acceptor::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(Acceptor::clear)},
    {Py_tp_methods, acceptor_methods},
    {Py_tp_members, acceptor_members},
    {0, nullptr},
};

PyType_Spec acceptor_spec = {"mainspring._core.Acceptor", sizeof(Acceptor), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                             acceptor_slots};

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
  origin.is_tcp = system::is_tcp(fd);
  return guarded([&] { return SocketTransport::make(origin); });
}

// _open_pipe_reader(pipe, fd, protocol, waiter, extra)
PyObject* open_pipe_reader(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_open_pipe_reader", count, 5, 5)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[1]);
  if (fd < 0) return nullptr;
  return guarded([&] { return PipeReader::make(loop, args[0], fd, args[2], or_null(args[3]), or_null(args[4])); });
}

// _open_pipe_writer(pipe, fd, protocol, waiter, extra, watches_reader)
PyObject* open_pipe_writer(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_open_pipe_writer", count, 6, 6)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[1]);
  if (fd < 0) return nullptr;
  return guarded([&] {
    return PipeWriter::make(loop, args[0], fd, args[2], or_null(args[3]), or_null(args[4]), args[5] == Py_True);
  });
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
    method("_open_pipe_reader", open_pipe_reader, nullptr),
    method("_open_pipe_writer", open_pipe_writer, nullptr),
    method("_accept_on", accept_on, nullptr),
    {},
};

void bind_streams(py::module_& module, ModuleState& state) {
  state.socket_transport_type =
      make_transport_type(module, "mainspring._core.SocketTransport", socket_transport_slots, "_FlowControlMixin");
  state.write_to_socket = SocketTransport::write;
  state.pipe_reader_type =
      make_transport_type(module, "mainspring._core.PipeReader", pipe_reader_slots, "ReadTransport");
  state.pipe_writer_type = make_transport_type(module, "mainspring._core.PipeWriter", pipe_writer_slots,
                                               "_FlowControlMixin", "WriteTransport");
  const py::object modes = py::module_::import("asyncio.constants").attr("_SendfileMode");
  const py::handle transport(reinterpret_cast<PyObject*>(state.socket_transport_type));
  transport.attr("_start_tls_compatible") = true;
  transport.attr("_sendfile_compatible") = modes.attr("TRY_NATIVE");
  transport.attr("max_size") = Loop::kReadBufferSize;
  py::handle(reinterpret_cast<PyObject*>(state.pipe_reader_type)).attr("max_size") = Loop::kReadBufferSize;
  state.acceptor_type = make_type(module, acceptor_spec);
}

}  // namespace mainspring
