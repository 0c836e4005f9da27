// What stands in for asyncio's stream classes, as Python sees it: under their names.
#include "bindings/bindings.hpp"
#include "streams/native_reader.hpp"
#include "streams/native_writer.hpp"
#include "streams/reader_state.hpp"
#include "streams/stream_link.hpp"
#include "streams/stream_operation.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

PyMethodDef reader_methods[] = {
    keyword_method("read", NativeReader::read, "read(n=-1): a coroutine that reads up to n bytes, or until the end."),
    keyword_method("readline", NativeReader::readline, "A coroutine that reads a line with its newline."),
    keyword_method("readexactly", NativeReader::readexactly,
                   "readexactly(n): a coroutine that reads n bytes. IncompleteReadError when the stream ends before."),
    keyword_method("readuntil", NativeReader::readuntil,
                   "readuntil(separator=b'\\n'): a coroutine that reads up to and including the separator. "
                   "IncompleteReadError when the stream ends before, LimitOverrunError when the limit is passed."),
    keyword_method("feed_data", NativeReader::feed_data, "Appends data to the buffer and wakes the reading coroutine."),
    keyword_method("at_eof", NativeReader::at_eof, "Whether the stream has ended and everything was read."),
    {},
};

PyType_Slot reader_slots[] = {
    {Py_tp_methods, reader_methods},
    {Py_tp_getset, native_reader_attributes},
    {Py_am_anext, reinterpret_cast<void*>(NativeReader::anext)},
    {0, nullptr},
};

PyMethodDef writer_methods[] = {
    keyword_method("write", NativeWriter::write, "write(data): gives data to the transport, which sends or queues it."),
    keyword_method("drain", NativeWriter::drain,
                   "A coroutine that waits until the transport takes more. Raises the reader's exception, if any."),
    {},
};

PyGetSetDef writer_attributes[] = {
    {"__class__", get_stream_class, set_stream_class, nullptr, nullptr},
    {},
};

PyType_Slot writer_slots[] = {
    {Py_tp_methods, writer_methods},
    {Py_tp_getset, writer_attributes},
    {0, nullptr},
};

PyMethodDef operation_methods[] = {
    single_method("send", StreamOperation::send, "send(value): goes on until the next wait."),
    method("throw", StreamOperation::throw_into, "throw(exception): raises it where the coroutine waits."),
    bare_method("close", StreamOperation::close, "Ends the coroutine."),
    {},
};

PyGetSetDef operation_attributes[] = {
    {"__name__", StreamOperation::get_name, nullptr, nullptr, nullptr},
    {"__qualname__", StreamOperation::get_qualified_name, nullptr, nullptr, nullptr},
    {"cr_running", StreamOperation::get_running, nullptr, nullptr, nullptr},
    {"cr_origin", [](PyObject*, void*) { return none(); }, nullptr, nullptr, nullptr},
    {},
};

PyType_Slot operation_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(StreamOperation::dealloc)},
    {Py_tp_finalize, reinterpret_cast<void*>(StreamOperation::finalize)},
    {Py_tp_traverse, reinterpret_cast<void*>(StreamOperation::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(StreamOperation::clear)},
    {Py_tp_repr, reinterpret_cast<void*>(StreamOperation::repr)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(StreamOperation::next)},
    {Py_am_await, reinterpret_cast<void*>(StreamOperation::await)},
    {Py_am_send, reinterpret_cast<void*>(StreamOperation::am_send)},
    {Py_tp_methods, operation_methods},
    {Py_tp_getset, operation_attributes},
    {0, nullptr},
};

PyType_Slot state_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(ReaderState::dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(ReaderState::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(ReaderState::clear)},
    {0, nullptr},
};

PyType_Slot connected_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(ConnectedCallback::dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(ConnectedCallback::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(ConnectedCallback::clear)},
    {Py_tp_call, reinterpret_cast<void*>(ConnectedCallback::call)},
    {0, nullptr},
};

constexpr unsigned kOwnFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;

PyModuleDef_Slot holder_slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, nullptr},
};

PyModuleDef holder_def = {PyModuleDef_HEAD_INIT,
                          "mainspring._core",
                          nullptr,
                          sizeof(StreamClasses*),
                          nullptr,
                          holder_slots,
                          nullptr,
                          nullptr,
                          nullptr};

// A module that nobody imports: its state leads methods from an instance's type to the StreamClasses.
py::object make_holder(StreamClasses* classes) {
  const auto spec = py::module_::import("types").attr("SimpleNamespace")(py::arg("name") = "mainspring._core");
  auto holder = py::reinterpret_steal<py::object>(PyModule_FromDefAndSpec(&holder_def, spec.ptr()));
  if (!holder || PyModule_ExecDef(holder.ptr(), &holder_def) < 0) throw py::error_already_set();
  *static_cast<StreamClasses**>(PyModule_GetState(holder.ptr())) = classes;
  return holder;
}

PyTypeObject* make_stream_type(const py::object& holder, const char* name, size_t size, unsigned flags,
                               PyType_Slot* slots, PyTypeObject* base = nullptr) {
  PyType_Spec spec = {name, static_cast<int>(size), 0, flags, slots};
  const py::tuple bases = base ? py::make_tuple(py::handle(reinterpret_cast<PyObject*>(base))) : py::tuple();
  PyObject* type = PyType_FromModuleAndSpec(holder.ptr(), &spec, base ? bases.ptr() : nullptr);
  if (!type) throw py::error_already_set();
  return reinterpret_cast<PyTypeObject*>(type);
}

void remember(ClassGuard& guard, const py::object& streams, const char* name, const char* const* methods) {
  const py::object type = streams.attr(name);
  const py::object globals = streams.attr("__dict__");
  if (!guard.remember(reinterpret_cast<PyTypeObject*>(type.ptr()), globals.ptr(), methods)) {
    throw py::error_already_set();
  }
}

// For StreamFeed, whose users know a ReaderState as an object.

size_t most(PyObject* reader) { return reinterpret_cast<ReaderState*>(reader)->most(); }

// What comes this way is plaintext of TLS.
bool feed(PyObject* reader, const char* data, size_t size) {
  auto* state = reinterpret_cast<ReaderState*>(reader);
  state->buffer.cleanse();
  return state->feed(data, size);
}

bool feed_bytes(PyObject* reader, Ref data) {
  auto* state = reinterpret_cast<ReaderState*>(reader);
  state->buffer.cleanse();
  return state->feed_bytes(std::move(data));
}

}  // namespace

void bind_stream_api(py::module_&, ModuleState& state) {
  static constexpr const char* reader[] = {"read",
                                           "readline",
                                           "readexactly",
                                           "readuntil",
                                           "feed_data",
                                           "feed_eof",
                                           "at_eof",
                                           "__anext__",
                                           "_wait_for_data",
                                           "_wakeup_waiter",
                                           "_maybe_resume_transport",
                                           "__getattribute__",
                                           "__setattr__",
                                           nullptr};
  static constexpr const char* writer[] = {"__init__", "write", "drain", "__getattribute__", "__setattr__", nullptr};
  static constexpr const char* protocol[] = {"connection_made",  "data_received", "_stream_reader", "_drain_helper",
                                             "__getattribute__", "__setattr__",   nullptr};
  auto* classes = new StreamClasses();
  classes->module = &state;
  state.stream_classes = classes;
  state.stream_feed = {prepare_streams, finish_streams, find_stream, most, feed, feed_bytes};
  const py::object streams = py::module_::import("asyncio.streams");
  remember(classes->reader, streams, "StreamReader", reader);
  remember(classes->writer, streams, "StreamWriter", writer);
  remember(classes->protocol, streams, "StreamReaderProtocol", protocol);
  const py::object builtin_object = py::module_::import("builtins").attr("object");
  classes->object_class = builtin_object.attr("__dict__")["__class__"].cast<py::object>().release().ptr();
  const py::object warn = py::module_::import("warnings").attr("_warn_unawaited_coroutine");
  classes->warn_unawaited = Py_NewRef(warn.ptr());

  const py::object writer_init = streams.attr("StreamWriter").attr("__init__");
  if (PyFunction_Check(writer_init.ptr())) {
    classes->writer_init_code = Py_NewRef(PyFunction_GetCode(writer_init.ptr()));
  }

  const py::object holder = make_holder(classes);
  const auto size_of = [](PyTypeObject* type) { return static_cast<size_t>(type->tp_basicsize); };
  PyTypeObject* base = classes->reader.type();
  classes->native_reader =
      make_stream_type(holder, "asyncio.streams.StreamReader", size_of(base), Py_TPFLAGS_DEFAULT, reader_slots, base);
  base = classes->writer.type();
  classes->native_writer =
      make_stream_type(holder, "asyncio.streams.StreamWriter", size_of(base), Py_TPFLAGS_DEFAULT, writer_slots, base);
  classes->operation =
      make_stream_type(holder, "mainspring._core.coroutine", sizeof(StreamOperation), kOwnFlags, operation_slots);
  classes->reader_state =
      make_stream_type(holder, "mainspring._core.ReaderState", sizeof(ReaderState), kOwnFlags, state_slots);
  classes->connected_callback = make_stream_type(holder, "mainspring._core.ConnectedCallback",
                                                 sizeof(ConnectedCallback), kOwnFlags, connected_slots);
}

}  // namespace mainspring
