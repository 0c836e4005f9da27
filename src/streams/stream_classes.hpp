// The standard library's stream classes as they were when this module was imported, and the native types that stand in
// for them. One per import of the module, owned by its ModuleState.
//
// A program that replaces a method on one of asyncio's classes must get its own method, on connections that exist as
// well: that is what the guards are for.
#pragma once

#include "loop/module_state.hpp"
#include "python/class_guard.hpp"

namespace mainspring {

struct StreamOperation;

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
