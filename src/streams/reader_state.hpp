// ReaderState: the fields of a native stream reader (an asyncio.StreamReader whose class was swapped).
//
// Programs see them as the reader's attributes of the same names with a leading underscore. The reader's dict owns it.
#pragma once

#include "python/native.hpp"
#include "streams/stream_buffer.hpp"
#include "streams/stream_classes.hpp"

namespace mainspring {

struct StreamOperation;

struct ReaderState {
  PyObject_HEAD StreamClasses* classes;
  PyObject* loop;
  PyObject* limit;
  PyObject* waiter;  // nullptr for None, as are the next two
  PyObject* exception;
  PyObject* transport;
  Py_ssize_t dict_size;        // of the reader's dict, when it was seen to hold no feed_data()
  Py_ssize_t limit_value;      // -1 when the limit is not an int that fits
  StreamOperation* operation;  // borrowed: the native operation that waits for `waiter`
  bool eof;
  bool paused;
  StreamBuffer buffer;

  static ReaderState* make(StreamClasses* classes);

  // The state of an instance of the native reader type, made where there is none yet: a new reference.
  static ReaderState* of(PyObject* reader);

  // Swaps the class of an asyncio.StreamReader. A new reference; nullptr without an exception when this reader must
  // stay as it is.
  static ReaderState* adopt(StreamClasses* classes, PyObject* reader);

  // Puts the fields into the reader's dict, as asyncio.StreamReader has them, and forgets the state.
  static bool abandon(PyObject* reader);

  // Whether native code can read from it: everything is of the type that it always is.
  bool usable() const { return !exception && limit_value >= 0 && buffer.usable(); }

  // What StreamReader.feed_data() does with `data`, which is not empty. False with an exception set.
  bool feed(const char* data, size_t size);
  // The same with an exact bytes object, which may become the result of the read that waits.
  bool feed_bytes(Ref data);
  // How much of what comes next can become that result without being copied.
  size_t most() const;
  // The end of feed(), when the bytes are in the buffer already.
  bool fed();

  // Whether what has come is not enough for the operation that waits.
  bool waits_for_more() const;

  // Wakes the operation that waits. False with an exception set.
  bool wake();

  // Pauses the transport when more than twice the limit is buffered.
  bool pause_if_full();
  // Resumes it when no more than the limit is left.
  bool maybe_resume();
  bool resume();

  void set_limit(PyObject* value);

  PyObject* object() { return reinterpret_cast<PyObject*>(this); }
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);
};

// The attributes of the native reader type.
extern PyGetSetDef native_reader_attributes[];

// The attribute `__class__` of both native types: the class of the standard library. Setting it gives the instance
// back to that library's code first.
PyObject* get_stream_class(PyObject* self, void*);
int set_stream_class(PyObject* self, PyObject* type, void*);

}  // namespace mainspring
