// DatagramTransport as Python sees it.
#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "bindings/transport_slots.hpp"
#include "datagrams/datagram_transport.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

PyMethodDef datagram_transport_methods[] = {
    keyword_method(
        "sendto", DatagramTransport::sendto,
        "sendto(data, addr=None): sends a datagram, or queues it when the kernel takes none. TypeError for "
        "what is not bytes, bytearray or memoryview; ValueError for another address than that of a connected "
        "endpoint. Errors of the network go to protocol.error_received()."),
    bare_method("close", DatagramTransport::close, "Sends what is queued, then calls protocol.connection_lost(None)."),
    bare_method("abort", DatagramTransport::abort, "Closes at once; what is queued is lost."),
    bare_method("get_write_buffer_size", DatagramTransport::get_write_buffer_size,
                "The bytes that wait, with 8 for each datagram."),
    bare_method("get_write_buffer_limits", DatagramTransport::get_write_buffer_limits,
                "The low and the high water mark in bytes."),
    keyword_method("set_write_buffer_limits", DatagramTransport::set_write_buffer_limits,
                   "Sets the high and the low water mark in bytes. ValueError unless high >= low >= 0."),
    bare_method("pause_reading", DatagramTransport::pause_reading, "Stops calling the protocol with datagrams."),
    bare_method("resume_reading", DatagramTransport::resume_reading, "Goes on after pause_reading()."),
    bare_method("_read_ready", DatagramTransport::read_ready, nullptr),
    bare_method("_sendto_ready", DatagramTransport::sendto_ready, nullptr),
    bare_method("_deliver_held", DatagramTransport::deliver_held, nullptr),
    closing_row(),
    reading_row(),
    get_protocol_row(),
    set_protocol_row(),
    extra_info_row(),
    connection_lost_row(),
    {},
};

TransportSlots<DatagramTransport> datagram_transport_slots("A transport of datagrams. Made by the loop.",
                                                           datagram_transport_methods);

// _open_datagram_transport(sock, protocol, address, waiter, extra)
PyObject* open_datagram_transport(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_open_datagram_transport", count, 5, 5)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[0]);
  if (fd < 0) return nullptr;
  return guarded([&] {
    return DatagramTransport::make(loop, args[0], fd, args[1], or_null(args[2]), or_null(args[3]), or_null(args[4]));
  });
}

}  // namespace

PyMethodDef datagram_methods_of_loop[] = {
    method("_open_datagram_transport", open_datagram_transport, nullptr),
    {},
};

void bind_datagrams(py::module_& module, ModuleState& state) {
  state.datagram_transport_type = make_transport_type(
      module, "mainspring._core.DatagramTransport", datagram_transport_slots, "_FlowControlMixin", "DatagramTransport");
  py::handle(reinterpret_cast<PyObject*>(state.datagram_transport_type)).attr("max_size") = Loop::kReadBufferSize;
}

}  // namespace mainspring
