#include "python/class_guard.hpp"

#include <utility>

#include "python/native.hpp"

namespace mainspring {

bool ClassGuard::remember(PyTypeObject* type, PyObject* globals, const char* const* names) {
  type_ = type;
  for (; *names; ++names) {
    Ref name = Ref::steal(PyUnicode_InternFromString(*names));
    if (!name) return false;
    Ref value = Ref::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(type), name.get()));
    if (!value) return false;
    if (PyFunction_Check(value.get()) && PyFunction_GetGlobals(value.get()) != globals) foreign_ = true;
    entries_.push_back({std::move(name), std::move(value)});
  }
  return true;
}

bool ClassGuard::check() {
  version_ = 0;
  if (foreign_) return false;
  const SavedException saved;
  for (const Entry& entry : entries_) {
    const Ref now = Ref::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(type_), entry.name.get()));
    if (!now) PyErr_Clear();
    if (now.get() != entry.value.get()) return false;
  }
  // The look-ups have given the class a version, unless it has had too many.
  version_ = type_->tp_version_tag;
  return true;
}

}  // namespace mainspring
