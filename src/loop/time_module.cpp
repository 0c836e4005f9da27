#include "loop/time_module.hpp"

namespace mainspring {

namespace {

// Changes to the watched dicts of all interpreters: a dict's watcher is not given anything of ours.
std::atomic<uint64_t> changes{1};

#if PY_VERSION_HEX >= 0x030C0000
int dict_changes(PyDict_WatchEvent, PyObject*, PyObject*, PyObject*) {
  changes.fetch_add(1, std::memory_order_relaxed);
  return 0;
}
#endif

}  // namespace

bool TimeModule::open() {
  const Ref module = Ref::steal(PyImport_ImportModule("time"));
  if (!module) return false;
  dict_ = Py_NewRef(PyModule_GetDict(module.get()));
#if PY_VERSION_HEX >= 0x030C0000
  const int watcher = PyDict_AddWatcher(dict_changes);
  watched_ = watcher >= 0 && PyDict_Watch(watcher, dict_) == 0;
  // Others may have taken all of the few watchers that an interpreter has.
  if (!watched_) PyErr_Clear();
#endif
  return true;
}

uint64_t TimeModule::current_version() const {
#if PY_VERSION_HEX >= 0x030C0000
  return watched_ ? changes.load(std::memory_order_relaxed) : seen_version_ + 1;
#else
  return reinterpret_cast<PyDictObject*>(dict_)->ma_version_tag;
#endif
}

void TimeModule::look() {
  PyObject* function = PyDict_GetItemString(dict_, "monotonic");
  replaced_ = function && !PyCFunction_Check(function);
}

}  // namespace mainspring
