// What native coroutines have in common with the interpreter's: how they end, and the texts with which they refuse.
#pragma once

#include "python/native.hpp"

namespace mainspring {

// Raises StopIteration(value), as a generator that returns.
inline void stop_iteration(PyObject* value) {
  if (value == Py_None) {
    PyErr_SetNone(PyExc_StopIteration);
  } else if (!PyTuple_Check(value) && !PyExceptionInstance_Check(value)) {
    PyErr_SetObject(PyExc_StopIteration, value);
  } else if (Ref exception = Ref::steal(PyObject_CallOneArg(PyExc_StopIteration, value))) {
    // PyErr_SetObject would take these for the arguments of the exception, or for the exception.
    put_exception(std::move(exception));
  }
}

// False with an exception set for a coroutine that runs just now, or has ended.
inline bool check_resumable(bool running, bool ended) {
  if (running) {
    PyErr_SetString(PyExc_ValueError, "coroutine already executing");
  } else if (ended) {
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
  }
  return !running && !ended;
}

// False with an exception set for the first value of a coroutine when it is not None.
inline bool check_first_value(PyObject* value) {
  if (value == Py_None) return true;
  PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
  return false;
}

// The coroutine itself, as its own iterator; nullptr with an exception set when somebody awaits it already.
inline PyObject* await_coroutine(PyObject* coroutine, bool awaited) {
  if (!awaited) return Py_NewRef(coroutine);
  PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
  return nullptr;
}

}  // namespace mainspring
