// The extension module mainspring._core.
#include <pybind11/pybind11.h>

#include "bindings/bindings.hpp"
#include "loop/module_state.hpp"
#include "python/context_variables.hpp"
#include "system/portable.hpp"

namespace py = pybind11;

namespace mainspring {

PyTypeObject* make_type(py::module_& module, PyType_Spec& spec, PyObject* bases) {
  auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module.ptr(), &spec, bases));
  if (!type) throw py::error_already_set();
  if (PyModule_AddType(module.ptr(), type) < 0) throw py::error_already_set();
  return type;
}

void forget_last_interpreter() {
  if (!py::detail::has_seen_non_main_interpreter()) return;
  // At the end of an interpreter its dict goes first. What pybind11 remembers is all that is left then.
  if (!py::detail::get_internals_capsule()) return;
  py::detail::get_internals_pp_manager().unref();
  py::detail::get_local_internals_pp_manager().unref();
}

namespace {

PyObject* keep(py::object object) { return object.release().ptr(); }

void set_up_state(py::module_& module, ModuleState& state) {
  state.module = module.ptr();
  state.main_interpreter = PyInterpreterState_Get() == PyInterpreterState_Main();
  if (!state.names.intern() || !state.time.open()) throw py::error_already_set();
  state.context_keyword.name = state.names.context;
  state.context_layout_is_known = context_layout_is_known();
  if (PyErr_Occurred()) throw py::error_already_set();
  const auto events = py::module_::import("asyncio.events");
  const auto base_events = py::module_::import("asyncio.base_events");
  state.asyncio_handle = keep(events.attr("Handle"));
  state.asyncio_timer_handle = keep(events.attr("TimerHandle"));
  if (py::hasattr(events, "_ThreadSafeHandle")) {
    state.asyncio_thread_safe_handle = keep(events.attr("_ThreadSafeHandle"));
  }
  state.asyncio_tasks = keep(py::module_::import("asyncio.tasks").attr("__dict__"));
  state.asyncio_futures = keep(py::module_::import("asyncio.futures").attr("__dict__"));
  state.default_loop = keep(py::module_::import("asyncio.unix_events").attr("_UnixSelectorEventLoop"));
  state.base_create_task = keep(base_events.attr("BaseEventLoop").attr("create_task"));
  state.base_run_in_executor = keep(base_events.attr("BaseEventLoop").attr("run_in_executor"));
  state.buffered_protocol = keep(py::module_::import("asyncio.protocols").attr("BufferedProtocol"));
  const auto datagrams = py::module_::import("asyncio.selector_events").attr("_SelectorDatagramTransport");
  // Older Pythons count none, and the first that do have no name for it.
  const bool counts_header =
      py::hasattr(datagrams, "_header_size") || datagrams.attr("sendto").attr("__code__").attr("co_consts").contains(8);
  state.datagram_header = counts_header ? 8 : 0;
  // Server._attach() has taken the transport since Python 3.13.
  const py::object attach = base_events.attr("Server").attr("_attach");
  state.attach_takes_transport = attach.attr("__code__").attr("co_argcount").cast<int>() == 2;
}

}  // namespace

// An interpreter with a GIL of its own shares no Python object with others, and no state of ours.
PYBIND11_MODULE(core_of_interpreter, module, py::multiple_interpreters::per_interpreter_gil()) {
  forget_last_interpreter();
  module.doc() = "The native part of mainspring.";
  module.attr("__version__") = MAINSPRING_VERSION;
  module.attr("PORTABLE") = system::kPortable;
  // The state lives as long as the process: objects of the module may be finalized after the module.
  auto* state = new ModuleState();
  set_up_state(module, *state);
  bind_handles(module, *state);
  bind_datagrams(module, *state);
  bind_sockets(module, *state);
  bind_names(*state);
  bind_executor(module, *state);
  bind_futures(*state);
  bind_streams(module, *state);
  bind_stream_api(module, *state);
  bind_tls(module, *state);
  bind_virtual_time(module);
  bind_diagnostics(module, *state);
  bind_loop(module, *state);
}

}  // namespace mainspring

extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
#if PY_VERSION_HEX < 0x030C0000
  // pybind11 asks for the GIL by PyGILState_Ensure, which waits for ever in a sub-interpreter, so it must not begin.
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError, "mainspring cannot be used in a sub-interpreter before Python 3.12");
    return nullptr;
  }
#endif
  return mainspring::PyInit_core_of_interpreter();
}
