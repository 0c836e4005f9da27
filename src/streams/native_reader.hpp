// The methods of the native stream reader: a subclass of asyncio.StreamReader without fields of its own, which
// instances of that class are given when their connection is made. See ReaderState for their fields.
#pragma once

#include "python/native.hpp"
#include "streams/stream_classes.hpp"

namespace mainspring {

struct NativeReader {
  static PyObject* read(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* readline(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* readexactly(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* readuntil(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* feed_data(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* at_eof(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* anext(PyObject* self);
};

// Calls what the class of the standard library has under `name`, as super() finds it.
PyObject* call_base(PyObject* self, PyObject* name, Arguments args, Py_ssize_t count, PyObject* keywords);

// The only argument of a call, by position or as the keyword `name`; nullptr when the call is any other.
PyObject* only_argument(Arguments args, Py_ssize_t count, PyObject* keywords, PyObject* name);

}  // namespace mainspring
