// SocketOperation: what sock_recv() and its relatives return: a coroutine without a frame.
//
// It does nothing before it is awaited. Then it tries the system call, and is complete if that does not block.
// Otherwise it awaits a future, which is completed, with the result of the call, when the descriptor is ready. What the
// native call does not know it leaves to the coroutine of the same name in python/mainspring/_sockets.py, which it
// then awaits instead.
//
// Belongs to whoever awaits it, and to the loop's Waits while it waits. Keeps its loop alive.
#pragma once

#include "loop/waits.hpp"
#include "python/coroutine.hpp"
#include "sockets/socket_call.hpp"

namespace mainspring {

struct SocketOperation {
  enum State : uint8_t { kCreated, kRunning, kSuspended, kFinished };

  PyObject_HEAD Loop* loop;
  PyObject* loop_object;
  PyObject* weak_references;
  SocketCall call;
  PyObject* future;   // that it waits for; nullptr when Python does the operation
  PyObject* awaited;  // the iterator of the future, or Python's coroutine
  Wait wait;
  State state;

  // `args` are the arguments of the loop's method. A new reference; nullptr with an exception set.
  static PyObject* make(Loop* loop, SocketCall::Kind kind, Arguments args, Py_ssize_t count);

  // Python's coroutine for the same operation, or the exception that calling it with these arguments raises.
  static PyObject* in_python(Loop* loop, SocketCall::Kind kind, Arguments args, size_t count, PyObject* keywords);

  // The method's name, and the coroutine's.
  static const char* name_of(SocketCall::Kind kind);

  static PyObject* await(PyObject* self);
  static PySendResult step(PyObject* self, PyObject* value, PyObject** result);
  static PyObject* next(PyObject* self);
  static PyObject* send(PyObject* self, PyObject* value);
  static PyObject* throw_(PyObject* self, Arguments args, Py_ssize_t count);
  static PyObject* close(PyObject* self, PyObject*);
  static PyObject* repr(PyObject* self);
  static void finalize(PyObject* self);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* arg);
  static int clear(PyObject* self);

 private:
  static SocketOperation* from(PyObject* self) { return reinterpret_cast<SocketOperation*>(self); }
  PyObject* object() { return reinterpret_cast<PyObject*>(this); }

  bool resumable() const { return check_resumable(state == kRunning, state == kFinished); }
  PySendResult start(PyObject** result);
  PySendResult begin_wait(int fd, PyObject** result);
  PySendResult leave_to_python(PyObject** result);
  PySendResult resume(PyObject* value, PyObject** result);
  void finish();
  static bool ready(Wait* wait);

  // Without a value when the future is done already, which is not the operation's doing.
  SocketCall::Outcome try_again(Ref& value);
  void complete(SocketCall::Outcome outcome, PyObject* value);
};

}  // namespace mainspring
