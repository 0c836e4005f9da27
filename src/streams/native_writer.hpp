// The methods of the native stream writer: a subclass of asyncio.StreamWriter without fields of its own, whose
// instances keep their dict; and how the writer that connection_made() makes is given that class.
#pragma once

#include "python/native.hpp"
#include "streams/stream_classes.hpp"

namespace mainspring {

struct NativeWriter {
  static PyObject* write(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* drain(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
};

// Swaps the class of an asyncio.StreamWriter; leaves everything else alone. No exception is left set.
void adopt_writer(StreamClasses* classes, PyObject* writer);

// To be called when a Future is made while a client's writer is expected (Loop::expects_stream_writer()): makes the
// writer native whose __init__() it is that asks for the Future. No exception is left set.
void notice_writer(StreamClasses* classes);

// Stands in for a StreamReaderProtocol's client_connected_cb during connection_made(): called with the reader and the
// writer, it makes the writer native, puts the program's callback back into its place and calls it.
struct ConnectedCallback {
  PyObject_HEAD StreamClasses* classes;
  PyObject* callback;

  static PyObject* call(PyObject* self, PyObject* args, PyObject* keywords);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);
};

// Puts a ConnectedCallback into the dict of a protocol and returns it; an empty Ref when it has no callback, or with an
// exception set.
Ref wrap_connected_callback(StreamClasses* classes, PyObject* protocol_dict);

// Takes it out again, if it is still there.
void unwrap_connected_callback(StreamClasses* classes, PyObject* protocol_dict, PyObject* wrapped);

}  // namespace mainspring
