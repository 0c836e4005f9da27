// The sock_* methods of the Loop, and the coroutines that they return.
#include <cstddef>

#include "bindings/bindings.hpp"
#include "loop/loop.hpp"
#include "sockets/socket_operation.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

using Kind = SocketCall::Kind;

// What native calls do in place of Python's methods.
constexpr const char* kReplaced[] = {"recv",   "recv_into",  "recvfrom", "recvfrom_into", "send",
                                     "sendto", "accept",     "_accept",  "connect",       "getsockopt",
                                     "fileno", "gettimeout", "__init__", "__new__"};

// Whether socket.socket is as it was at import. A program may have replaced its methods, for a test for example.
bool socket_type_is_untouched(ModuleState& state) {
  PyTypeObject* type = state.socket_type;
  const bool valid = type->tp_version_tag != 0
#if PY_VERSION_HEX < 0x030C0000
                     && PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)
#endif
      ;
  if (valid && type->tp_version_tag == state.socket_type_version) [[likely]]
    return true;
  state.socket_type_version = 0;
  Py_ssize_t i = 0;
  for (const char* name : kReplaced) {
    const Ref found = Ref::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), name));
    if (!found) PyErr_Clear();
    if (found.get() != PyTuple_GET_ITEM(state.socket_methods, i++)) return false;
  }
  state.socket_type_version = type->tp_version_tag;
  return true;
}

// A call with other than plain positional arguments, another kind of socket and debug mode, which tells more of a
// coroutine than a native one knows, are Python's.
template <Kind kind, Py_ssize_t least, Py_ssize_t most = least>
PyObject* operation(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  ModuleState& state = loop->state();
  if (!keywords && count >= least && count <= most && Py_TYPE(args[0]) == state.socket_type && !loop->debug &&
      socket_type_is_untouched(state)) [[likely]] {
    return SocketOperation::make(loop, kind, args, count);
  }
  return SocketOperation::in_python(loop, kind, args, static_cast<size_t>(count), keywords);
}

PyObject* socket_operation_name(PyObject* self, void*) {
  return PyUnicode_FromString(SocketOperation::name_of(reinterpret_cast<SocketOperation*>(self)->call.kind));
}

PyObject* socket_operation_qualname(PyObject* self, void*) {
  return PyUnicode_FromFormat("Loop.%s", SocketOperation::name_of(reinterpret_cast<SocketOperation*>(self)->call.kind));
}

PyObject* socket_operation_running(PyObject* self, void*) {
  return PyBool_FromLong(reinterpret_cast<SocketOperation*>(self)->state == SocketOperation::kRunning);
}

// Where it was created is only known of those that debug mode makes in Python.
PyObject* socket_operation_origin(PyObject*, void*) { return none(); }

PyMethodDef socket_operation_methods[] = {
    single_method("send", SocketOperation::send, "Resumes the coroutine with a value."),
    method("throw", SocketOperation::throw_, "Raises an exception in the coroutine."),
    bare_method("close", SocketOperation::close, "Ends the coroutine; it no longer waits."),
    {},
};

PyGetSetDef socket_operation_attributes[] = {
    {"__name__", socket_operation_name, nullptr, nullptr, nullptr},
    {"__qualname__", socket_operation_qualname, nullptr, nullptr, nullptr},
    {"cr_running", socket_operation_running, nullptr, nullptr, nullptr},
    {"cr_origin", socket_operation_origin, nullptr, nullptr, nullptr},
    {},
};

PyMemberDef socket_operation_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(SocketOperation, weak_references), READONLY, nullptr},
    {},
};

constexpr const char* kOperationDoc = "A coroutine of sock_recv() or one of its relatives. Made by the loop.";

PyType_Slot socket_operation_slots[] = {
    {Py_tp_doc, const_cast<char*>(kOperationDoc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(SocketOperation::dealloc)},
    {Py_tp_finalize, reinterpret_cast<void*>(SocketOperation::finalize)},
    {Py_tp_traverse, reinterpret_cast<void*>(SocketOperation::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(SocketOperation::clear)},
    {Py_tp_repr, reinterpret_cast<void*>(SocketOperation::repr)},
    {Py_tp_iternext, reinterpret_cast<void*>(SocketOperation::next)},
    {Py_am_await, reinterpret_cast<void*>(SocketOperation::await)},
    {Py_am_send, reinterpret_cast<void*>(SocketOperation::step)},
    {Py_tp_methods, socket_operation_methods},
    {Py_tp_getset, socket_operation_attributes},
    {Py_tp_members, socket_operation_members},
    {0, nullptr},
};

PyType_Spec socket_operation_spec = {"mainspring._core.SocketOperation", sizeof(SocketOperation), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                     socket_operation_slots};

PyObject* keep(py::object object) { return object.release().ptr(); }

}  // namespace

PyMethodDef socket_methods_of_loop[] = {
    keyword_method("sock_recv", (operation<Kind::kRecv, 2>),
                   "sock_recv($self, sock, n)\n--\n\nReceives up to `n` bytes; empty when the peer has closed its "
                   "side."),
    keyword_method("sock_recv_into", (operation<Kind::kRecvInto, 2>),
                   "sock_recv_into($self, sock, buf)\n--\n\nReceives into `buf`; the number of bytes written to it."),
    keyword_method("sock_recvfrom", (operation<Kind::kRecvFrom, 2>),
                   "sock_recvfrom($self, sock, bufsize)\n--\n\nReceives a datagram of up to `bufsize` bytes, with its "
                   "sender's address."),
    keyword_method("sock_recvfrom_into", (operation<Kind::kRecvFromInto, 2, 3>),
                   "sock_recvfrom_into($self, sock, buf, nbytes=0)\n--\n\nReceives a datagram into `buf`, at most "
                   "`nbytes` of it (the size of `buf` by default)."),
    keyword_method("sock_sendall", (operation<Kind::kSendAll, 2>),
                   "sock_sendall($self, sock, data)\n--\n\nSends all of `data`. After an error nothing says how much "
                   "the peer has received."),
    keyword_method("sock_sendto", (operation<Kind::kSendTo, 3>),
                   "sock_sendto($self, sock, data, address)\n--\n\nSends a datagram to `address`; the number of bytes "
                   "sent."),
    keyword_method("sock_accept", (operation<Kind::kAccept, 1>),
                   "sock_accept($self, sock)\n--\n\nAccepts a connection: its socket, which is non-blocking, and the "
                   "peer's address."),
    keyword_method("sock_connect", (operation<Kind::kConnect, 2>),
                   "sock_connect($self, sock, address)\n--\n\nConnects `sock` to `address`; resolves host names."),
    {},
};

void bind_sockets(py::module_& module, ModuleState& state) {
  state.socket_operation_type = make_type(module, socket_operation_spec);
  const py::object type = py::module_::import("socket").attr("socket");
  const py::object native_type = py::module_::import("_socket").attr("socket");
  state.socket_type = reinterpret_cast<PyTypeObject*>(keep(type));
  py::list methods;
  for (const char* name : kReplaced) methods.append(type.attr(name));
  state.socket_methods = keep(py::tuple(methods));
  state.socket_fileno = keep(native_type.attr("fileno"));
  state.socket_gettimeout = keep(native_type.attr("gettimeout"));
  state.socket_family = keep(native_type.attr("family"));
  state.socket_kind = keep(native_type.attr("type"));
  state.socket_protocol = keep(native_type.attr("proto"));
}

}  // namespace mainspring
