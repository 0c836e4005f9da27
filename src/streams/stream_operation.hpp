// StreamOperation: what read(), readline(), readexactly(), readuntil() and drain() of native streams return.
//
// It is a coroutine as far as programs can tell (collections.abc.Coroutine): nothing happens before it is awaited, it
// can be awaited once, and one that never is warns. When the data is there it is done at the first step, without a
// Future and without a frame. When it has to wait it makes the Future that `reader._waiter` shows. Whatever is rare,
// all errors above all, is left to the coroutine of asyncio's own method, which is made then and finds the reader as
// it was when the operation began.
//
// Made per read, so recycled through StreamClasses. Belongs to whoever awaits it.
#pragma once

#include "python/coroutine.hpp"
#include "streams/reader_state.hpp"

namespace mainspring {

struct StreamOperation {
  enum Kind : uint8_t { kRead, kReadLine, kReadExactly, kReadUntil, kNext, kDrain };
  enum Phase : uint8_t { kCreated, kWaiting, kDelegated, kDone };

  PyObject_HEAD StreamClasses* classes;
  PyObject* owner;      // the reader, or the writer for kDrain
  ReaderState* state;   // of the reader; nullptr for kDrain
  PyObject* separator;  // of kReadUntil: bytes; else nullptr
  PyObject* iterator;   // kWaiting: of the Future; kDelegated: of the coroutine
  Py_ssize_t count;     // of kRead and kReadExactly
  size_t searched;      // no separator begins before this offset
  Kind kind;
  Phase phase;
  bool running;

  // A new reference; takes over `state`. nullptr with an exception set.
  static PyObject* make(StreamClasses* classes, Kind kind, PyObject* owner, ReaderState* stolen_state,
                        Py_ssize_t count = 0, PyObject* separator = nullptr);

  // Whether the first separator in `data` is at its end.
  bool ends_with_separator(const char* data, size_t size) const;

  static PyObject* next(PyObject* self);
  static PySendResult am_send(PyObject* self, PyObject* value, PyObject** result);
  static PyObject* await(PyObject* self);
  static PyObject* send(PyObject* self, PyObject* value);
  static PyObject* throw_into(PyObject* self, Arguments args, Py_ssize_t count);
  static PyObject* close(PyObject* self, PyObject*);
  static PyObject* get_name(PyObject* self, void*);
  static PyObject* get_qualified_name(PyObject* self, void*);
  static PyObject* get_running(PyObject* self, void*);
  static PyObject* repr(PyObject* self);
  static void finalize(PyObject* self);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);

  PyObject* object() { return reinterpret_cast<PyObject*>(this); }

 private:
  bool resumable() const { return check_resumable(running, phase == kDone); }
  PySendResult step(PyObject* value, PyObject** result);
  PySendResult advance(PyObject** result);
  PySendResult read(PyObject** result);
  PySendResult read_exactly(PyObject** result);
  PySendResult read_until(PyObject** result);
  PySendResult drain(PyObject** result);
  PySendResult wait(PyObject** result);
  PySendResult take(size_t count, PyObject** result);
  PySendResult take_rest(PyObject** result);
  PySendResult delegate(PyObject** result);
  PySendResult forward(PyObject* value, PyObject** result);
  // The name of asyncio's own method; borrowed.
  PyObject* method() const;
  PyObject* make_coroutine();
  bool drained();
  void stop_waiting();
  void end();
  PyObject* finish(PySendResult outcome, PyObject* result);
  bool stop_with(PyObject* value);
  void exchange_stop_value(PyObject* value);
  void forget_stop_value();
  void find_separator(const char** data, size_t* size) const;
};

}  // namespace mainspring
