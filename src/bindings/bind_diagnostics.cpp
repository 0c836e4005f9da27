// The native half of a watchdog as Python sees it.
#include <memory>

#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "diagnostics/watch.hpp"
#include "loop/loop.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

struct WatchObject {
  PyObject_HEAD Watch* watch;
};

Watch* watch_of(PyObject* self) { return reinterpret_cast<WatchObject*>(self)->watch; }

PyObject* wait(PyObject* self, PyObject*) { return watch_of(self)->wait(); }

PyObject* goes_on(PyObject* self, PyObject*) { return PyBool_FromLong(watch_of(self)->goes_on()); }

PyObject* stop_watch(PyObject* self, PyObject*) {
  watch_of(self)->stop();
  return none();
}

void dealloc_watch(PyObject* self) {
  delete watch_of(self);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef watch_methods[] = {
    bare_method("wait", wait, "Waits, without the GIL, until the loop is blocked, or no longer; None when stopped."),
    bare_method("goes_on", goes_on, "Whether the block that wait() returned last goes on."),
    bare_method("stop", stop_watch, "Ends wait(), from another thread."),
    {},
};

PyType_Slot watch_slots[] = {
    {Py_tp_doc, const_cast<char*>("The native half of a watchdog.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc_watch)},
    {Py_tp_methods, watch_methods},
    {0, nullptr},
};

PyType_Spec watch_spec = {"mainspring._core.Watch", sizeof(WatchObject), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, watch_slots};

// _watch(threshold): a new Watch over this loop; the threshold in seconds.
PyObject* watch(PyObject* self, PyObject* threshold) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  const double limit = PyFloat_AsDouble(threshold);
  if (limit == -1.0 && PyErr_Occurred()) return nullptr;
  return guarded([&]() -> PyObject* {
    auto watch = std::make_unique<Watch>(*loop, first_ns_at(limit));
    auto* made = PyObject_New(WatchObject, loop->state().watch_type);
    if (!made) return nullptr;
    made->watch = watch.release();
    return reinterpret_cast<PyObject*>(made);
  });
}

}  // namespace

PyMethodDef diagnostics_methods_of_loop[] = {
    single_method("_watch", watch, nullptr),
    {},
};

void bind_diagnostics(py::module_& module, ModuleState& state) { state.watch_type = make_type(module, watch_spec); }

}  // namespace mainspring
