// What a context holds, as one word to compare: two contexts with the same word have the same value for each variable.
//
// A context is an immutable map and who uses it. The C API makes, copies and enters contexts, and tells no map. The
// layout is the same from Python 3.7 to 3.15; whether it still is, is looked at when the module is imported.
#pragma once

#include "python/ref.hpp"

namespace mainspring {

struct ContextLayout {
  PyObject_HEAD PyObject* previous;
  const void* variables;
};

inline const void* variables_of(PyObject* context) { return reinterpret_cast<ContextLayout*>(context)->variables; }

// The current context of this thread (borrowed); nullptr where it has none yet.
inline PyObject* current_context() { return PyThreadState_Get()->context; }

// Whether variables_of() is right about a copy, about a change and about who sees it. False with an exception set only
// where there is no memory.
bool context_layout_is_known();

}  // namespace mainspring
