// Handle and TimerHandle as Python sees them.
#include <cstddef>

#include "bindings/bindings.hpp"
#include "loop/handle.hpp"
#include "loop/loop.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

PyObject* get_callback(PyObject* self, void*) { return Py_NewRef(handle_of(self)->visible_callback()); }

PyObject* get_args(PyObject* self, void*) { return handle_of(self)->arguments(); }

PyObject* get_loop(PyObject* self, void*) { return Py_NewRef(handle_of(self)->loop->self()); }

PyObject* get_context(PyObject* self, void*) { return Handle::get_context(self, nullptr); }

PyObject* get_cancelled(PyObject* self, void*) { return Handle::get_cancelled(self, nullptr); }

PyObject* get_source_traceback(PyObject* self, void*) {
  PyObject* traceback = handle_of(self)->source_traceback;
  return Py_NewRef(traceback ? traceback : Py_None);
}

PyObject* get_scheduled(PyObject* self, void*) {
  return PyBool_FromLong(reinterpret_cast<TimerHandle*>(self)->scheduled());
}

PyObject* get_when(PyObject* self, void*) { return TimerHandle::get_when(self, nullptr); }

// isinstance(handle, asyncio.Handle) holds through `__class__`; inheriting would add the stdlib class's slots to every
// Handle.
PyObject* get_class(PyObject* self, void*) {
  const ModuleState& state = handle_of(self)->loop->state();
  if (handle_of(self)->threadsafe) return Py_NewRef(state.asyncio_thread_safe_handle);
  return Py_NewRef(handle_of(self)->is_timer ? state.asyncio_timer_handle : state.asyncio_handle);
}

PyMethodDef handle_methods[] = {
    bare_method("cancel", Handle::cancel, "Cancels the callback; does nothing if it has run or been cancelled."),
    bare_method("cancelled", Handle::get_cancelled, "Whether the callback has been cancelled."),
    bare_method("get_context", Handle::get_context, "The contextvars.Context in which the callback runs."),
    bare_method("_run", Handle::run, "Runs the callback now, in its context."),
    {},
};

PyGetSetDef handle_attributes[] = {
    {"__class__", get_class, nullptr, nullptr, nullptr},
    {"_callback", get_callback, nullptr, nullptr, nullptr},
    {"_args", get_args, nullptr, nullptr, nullptr},
    {"_loop", get_loop, nullptr, nullptr, nullptr},
    {"_context", get_context, nullptr, nullptr, nullptr},
    {"_cancelled", get_cancelled, nullptr, nullptr, nullptr},
    {"_source_traceback", get_source_traceback, nullptr, nullptr, nullptr},
    {},
};

PyMethodDef timer_handle_methods[] = {
    bare_method("when", TimerHandle::get_when, "The time at which the callback is due, in seconds of loop.time()."),
    {},
};

PyGetSetDef timer_handle_attributes[] = {
    {"_when", get_when, nullptr, nullptr, nullptr},
    {"_scheduled", get_scheduled, nullptr, nullptr, nullptr},
    {},
};

PyMemberDef handle_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Handle, weak_references), READONLY, nullptr},
    {},
};

constexpr const char* kHandleDoc = "A callback waiting to run: what call_soon() returns. Like asyncio.Handle.";
constexpr const char* kTimerHandleDoc =
    "A callback waiting for its time: what call_later() returns. Like asyncio.TimerHandle.";

PyType_Slot handle_slots[] = {
    {Py_tp_doc, const_cast<char*>(kHandleDoc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(Handle::dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(Handle::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(Handle::clear)},
    {Py_tp_repr, reinterpret_cast<void*>(Handle::repr)},
    {Py_tp_methods, handle_methods},
    {Py_tp_getset, handle_attributes},
    {Py_tp_members, handle_members},
    {0, nullptr},
};

PyType_Slot timer_handle_slots[] = {
    {Py_tp_doc, const_cast<char*>(kTimerHandleDoc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(Handle::dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(Handle::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(Handle::clear)},
    {Py_tp_richcompare, reinterpret_cast<void*>(TimerHandle::compare)},
    {Py_tp_hash, reinterpret_cast<void*>(TimerHandle::hash)},
    {Py_tp_methods, timer_handle_methods},
    {Py_tp_getset, timer_handle_attributes},
    {0, nullptr},
};

PyType_Spec handle_spec = {
    "mainspring._core.Handle", sizeof(Handle), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, handle_slots};

PyType_Spec timer_handle_spec = {"mainspring._core.TimerHandle", sizeof(TimerHandle), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 timer_handle_slots};

}  // namespace

void bind_handles(py::module_& module, ModuleState& state) {
  state.handle_type = make_type(module, handle_spec);
  const py::tuple bases = py::make_tuple(py::handle(reinterpret_cast<PyObject*>(state.handle_type)));
  state.timer_handle_type = make_type(module, timer_handle_spec, bases.ptr());
}

}  // namespace mainspring
