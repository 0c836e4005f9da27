// Native slots: how C++ functions become methods without a layer in between.
//
// A method called through pybind11's class_.def costs some 450 ns, one in tp_methods 27 ns. All methods that run per
// callback or per packet are therefore declared here, as rows of a PyMethodDef table, for pybind11's classes (through
// custom_type_setup) and for the types that are made by the million (PyType_FromModuleAndSpec) alike.
#pragma once

#include "python/ref.hpp"

namespace mainspring {

using Arguments = PyObject* const*;

using FastMethod = PyObject* (*)(PyObject* self, Arguments args, Py_ssize_t count);
using KeywordMethod = PyObject* (*)(PyObject* self, Arguments args, Py_ssize_t count, PyObject* names);
using SingleMethod = PyObject* (*)(PyObject* self, PyObject* argument);
using BareMethod = PyObject* (*)(PyObject* self, PyObject* unused);

template <typename Function>
PyCFunction as_c_function(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

inline PyMethodDef method(const char* name, FastMethod function, const char* doc) {
  return {name, as_c_function(function), METH_FASTCALL, doc};
}

inline PyMethodDef keyword_method(const char* name, KeywordMethod function, const char* doc) {
  return {name, as_c_function(function), METH_FASTCALL | METH_KEYWORDS, doc};
}

inline PyMethodDef single_method(const char* name, SingleMethod function, const char* doc) {
  return {name, as_c_function(function), METH_O, doc};
}

inline PyMethodDef bare_method(const char* name, BareMethod function, const char* doc) {
  return {name, as_c_function(function), METH_NOARGS, doc};
}

// Checks the number of positional arguments as CPython's own functions do.
inline bool check_count(const char* name, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most) {
  if (count >= least && count <= most) return true;
  PyErr_Format(PyExc_TypeError, "%s() takes %s%zd positional argument%s (%zd given)", name,
               least == most ? "" : (count < least ? "at least " : "at most "), count < least ? least : most,
               (count < least ? least : most) == 1 ? "" : "s", count);
  return false;
}

inline PyObject* none() { return Py_NewRef(Py_None); }

inline PyObject* or_null(PyObject* object) { return object == Py_None ? nullptr : object; }

// True for what leaves run_forever instead of going to the exception handler.
inline bool leaves_the_loop() {
  return PyErr_ExceptionMatches(PyExc_SystemExit) || PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
}

// The exception that is set, as an object with its traceback attached; clears it.
inline Ref take_exception() {
#if PY_VERSION_HEX >= 0x030C0000
  return Ref::steal(PyErr_GetRaisedException());
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return Ref::steal(value);
#endif
}

// Sets an exception object, as `raise exception` would.
inline void put_exception(Ref exception) {
#if PY_VERSION_HEX >= 0x030C0000
  PyErr_SetRaisedException(exception.release());
#else
  PyObject* value = exception.release();
  PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(value))), value, PyException_GetTraceback(value));
#endif
}

// Lets code that is called for an exception see it as being handled, as inside of an except block.
class HandledException {
 public:
  explicit HandledException(PyObject* exception) : previous_(Ref::steal(PyErr_GetHandledException())) {
    PyErr_SetHandledException(exception);
  }
  HandledException(const HandledException&) = delete;
  HandledException& operator=(const HandledException&) = delete;
  ~HandledException() { PyErr_SetHandledException(previous_.get()); }

 private:
  Ref previous_;
};

// Keeps the exception that is set, if any, over code that must not see it.
class SavedException {
 public:
  SavedException() : exception_(PyErr_Occurred() ? take_exception() : Ref()) {}
  ~SavedException() {
    if (exception_) put_exception(std::move(exception_));
  }

 private:
  Ref exception_;
};

}  // namespace mainspring
