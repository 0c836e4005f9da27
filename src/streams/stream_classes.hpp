// The standard library's stream classes as they were when this module was imported, and the native types that stand in
// for them. One per import of the module, owned by its ModuleState.
//
// A program that replaces a method on one of asyncio's classes must get its own method, on connections that exist as
// well: a ClassGuard tells, at the price of two loads, whether a class is still the one that native code speaks for.
#pragma once

#include <vector>

#include "loop/module_state.hpp"
#include "python/ref.hpp"

namespace mainspring {

struct StreamOperation;

class ClassGuard {
 public:
  // Remembers what `names`, which end with nullptr, are on `type`. Functions have to be those of `globals`, the dict of
  // their module: what was replaced before the import is not asyncio's either. False with an exception set.
  bool remember(PyTypeObject* type, PyObject* globals, const char* const* names);

  PyTypeObject* type() const { return type_; }

  // Whether all of them are still the same. Never leaves an exception set.
  bool intact() { return (version_ != 0 && type_->tp_version_tag == version_) || check(); }

 private:
  struct Entry {
    PyObject* name;
    PyObject* value;
  };

  bool check();

  PyTypeObject* type_ = nullptr;
  std::vector<Entry> entries_;
  unsigned version_ = 0;
  bool foreign_ = false;
};

struct StreamClasses {
  ModuleState* module = nullptr;

  ClassGuard reader;
  ClassGuard writer;
  ClassGuard protocol;
  PyObject* object_class = nullptr;  // object.__class__, as a descriptor
  PyObject* warn_unawaited = nullptr;
  PyObject* writer_init_code = nullptr;
  PyObject* stop_iteration = nullptr;  // see StreamOperation::finish()

  PyTypeObject* native_reader = nullptr;
  PyTypeObject* native_writer = nullptr;
  PyTypeObject* reader_state = nullptr;
  PyTypeObject* operation = nullptr;
  PyTypeObject* connected_callback = nullptr;

  // Operations that are done, kept for the next ones.
  static constexpr int kMostFree = 64;
  StreamOperation* free_operations[kMostFree] = {};
  int free_count = 0;

  Names& names() { return module->names; }

  // The StreamClasses of an instance of a native type.
  static StreamClasses* of(PyObject* self) {
    return *static_cast<StreamClasses**>(PyType_GetModuleState(Py_TYPE(self)));
  }
};

}  // namespace mainspring
