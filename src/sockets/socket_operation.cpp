#include "sockets/socket_operation.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <system_error>
#include <vector>

namespace mainspring {

using Outcome = SocketCall::Outcome;

namespace {

constexpr const char* kQualifiedNames[] = {
    "Loop.sock_recv",    "Loop.sock_recv_into", "Loop.sock_recvfrom", "Loop.sock_recvfrom_into",
    "Loop.sock_sendall", "Loop.sock_sendto",    "Loop.sock_accept",   "Loop.sock_connect",
};

// Whether Python's view of the socket is that it never blocks: -1 with an exception set.
int is_non_blocking(Loop* loop, PyObject* socket) {
  PyObject* arguments[] = {nullptr, socket};
  const Ref timeout = Ref::steal(
      PyObject_Vectorcall(loop->state().socket_gettimeout, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  if (!timeout) return -1;
  return PyFloat_CheckExact(timeout.get()) && PyFloat_AS_DOUBLE(timeout.get()) == 0.0;
}

// The exception that the arguments of throw() mean; none, with TypeError set, when they mean none.
Ref thrown(Arguments args, Py_ssize_t count) {
  PyObject* type = args[0];
  PyObject* value = count > 1 && args[1] != Py_None ? args[1] : nullptr;
  PyObject* traceback = count > 2 && args[2] != Py_None ? args[2] : nullptr;
  Ref exception;
  if (traceback && !PyTraceBack_Check(traceback)) {
    PyErr_SetString(PyExc_TypeError, "throw() third argument must be a traceback object");
  } else if (PyExceptionInstance_Check(type)) {
    if (value) {
      PyErr_SetString(PyExc_TypeError, "instance exception may not have a separate value");
    } else {
      exception = Ref::borrow(type);
    }
  } else if (PyExceptionClass_Check(type)) {
    if (value && PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(type))) {
      exception = Ref::borrow(value);
    } else if (value && PyTuple_Check(value)) {
      exception = Ref::steal(PyObject_CallObject(type, value));
    } else {
      exception = Ref::steal(value ? PyObject_CallOneArg(type, value) : PyObject_CallNoArgs(type));
    }
  } else {
    PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                 Py_TYPE(type)->tp_name);
  }
  if (exception && traceback) PyException_SetTraceback(exception.get(), traceback);
  return exception;
}

}  // namespace

const char* SocketOperation::name_of(SocketCall::Kind kind) { return kQualifiedNames[kind] + std::strlen("Loop."); }

PyObject* SocketOperation::make(Loop* loop, SocketCall::Kind kind, Arguments args, Py_ssize_t count) {
  PyTypeObject* type = loop->state().socket_operation_type;
  auto* self = PyObject_GC_New(SocketOperation, type);
  if (!self) return nullptr;
  std::memset(reinterpret_cast<char*>(self) + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
  self->loop = loop;
  self->loop_object = Py_NewRef(loop->self());
  self->call.kind = kind;
  self->call.socket = Py_NewRef(args[0]);
  self->call.first = count > 1 ? Py_NewRef(args[1]) : nullptr;
  self->call.second = count > 2 ? Py_NewRef(args[2]) : nullptr;
  self->wait.object = self->object();
  self->wait.attempt = ready;
  PyObject_GC_Track(self);
  return self->object();
}

PyObject* SocketOperation::in_python(Loop* loop, SocketCall::Kind kind, Arguments args, size_t count,
                                     PyObject* keywords) {
  const Ref module = Ref::steal(PyImport_ImportModule("mainspring._sockets"));
  const Ref methods = Ref::steal(module ? PyObject_GetAttrString(module.get(), "SocketMethods") : nullptr);
  const Ref function = Ref::steal(methods ? PyObject_GetAttrString(methods.get(), name_of(kind)) : nullptr);
  if (!function) return nullptr;
  const size_t values = count + (keywords ? static_cast<size_t>(PyTuple_GET_SIZE(keywords)) : 0);
  std::vector<PyObject*> all{loop->self()};
  all.insert(all.end(), args, args + values);
  return PyObject_Vectorcall(function.get(), all.data(), count + 1, keywords);
}

// --- running ---------------------------------------------------------------------------------------------------------

PySendResult SocketOperation::step(PyObject* self, PyObject* value, PyObject** result) {
  SocketOperation* operation = from(self);
  *result = nullptr;
  if (!operation->resumable()) return PYGEN_ERROR;
  if (operation->state == kSuspended) return operation->resume(value, result);
  return check_first_value(value) ? operation->start(result) : PYGEN_ERROR;
}

PySendResult SocketOperation::start(PyObject** result) {
  state = kRunning;
  const int suited = loop->debug ? 0 : is_non_blocking(loop, call.socket);
  if (suited == 0) return leave_to_python(result);
  int fd = -1;
  Ref value;
  Outcome outcome = Outcome::kFailed;
  if (suited > 0 && call.descriptor(loop, &fd)) outcome = call.attempt(loop, fd, value);
  switch (outcome) {
    case Outcome::kBlocked:
      return begin_wait(fd, result);
    case Outcome::kUnsuited:
      PyErr_Clear();
      return leave_to_python(result);
    case Outcome::kDone:
      finish();
      *result = value.release();
      return PYGEN_RETURN;
    default: {
      const SavedException saved;
      finish();
      return PYGEN_ERROR;
    }
  }
}

PySendResult SocketOperation::begin_wait(int fd, PyObject** result) {
  future = PyObject_CallMethodNoArgs(loop_object, loop->names().create_future);
  const Ref number = Ref::steal(future ? PyLong_FromLong(fd) : nullptr);
  bool ok = number && loop->check_no_transport(fd, number.get()) && loop->check_open();
  if (ok) {
    const PyAsyncMethods* methods = Py_TYPE(future)->tp_as_async;
    if (methods && methods->am_await) {
      awaited = methods->am_await(future);
    } else {
      PyErr_Format(PyExc_TypeError, "create_future() returned %R, which cannot be awaited", future);
    }
    ok = awaited != nullptr;
  }
  if (ok) {
    try {
      loop->waits().start(&wait, fd, call.socket, call.direction());
      return resume(Py_None, result);
    } catch (const std::system_error& error) {
      errno = error.code().value();
      PyErr_SetFromErrno(PyExc_OSError);
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
    }
  }
  const SavedException saved;
  finish();
  return PYGEN_ERROR;
}

PySendResult SocketOperation::leave_to_python(PyObject** result) {
  // What native attempts have kept is given back: Python starts from the beginning.
  const Ref socket = Ref::borrow(call.socket);
  const Ref first = Ref::borrow(call.first);
  const Ref second = Ref::borrow(call.second);
  PyObject* arguments[] = {socket.get(), first.get(), second.get()};
  size_t count = 1;
  while (count < 3 && arguments[count]) ++count;
  awaited = in_python(loop, call.kind, arguments, count, nullptr);
  call.finish();
  if (awaited) return resume(Py_None, result);
  const SavedException saved;
  finish();
  return PYGEN_ERROR;
}

PySendResult SocketOperation::resume(PyObject* value, PyObject** result) {
  state = kRunning;
  const Ref alive = Ref::borrow(awaited);
  const PySendResult sent = PyIter_Send(alive.get(), value, result);
  if (sent == PYGEN_NEXT) {
    state = kSuspended;
    return sent;
  }
  const SavedException saved;
  finish();
  return sent;
}

void SocketOperation::finish() {
  state = kFinished;
  const Ref alive = Ref::borrow(object());
  loop->waits().stop(&wait);
  const Ref old_future = Ref::steal(std::exchange(future, nullptr));
  const Ref old_awaited = Ref::steal(std::exchange(awaited, nullptr));
  call.finish();
}

// --- when the descriptor is ready ------------------------------------------------------------------------------------

bool SocketOperation::ready(Wait* wait) {
  SocketOperation* self = from(wait->object);
  // Python code that runs on the way, such as a buffer's __len__(), cannot end the operation.
  self->state = kRunning;
  Ref value;
  const Outcome outcome = self->try_again(value);
  self->state = kSuspended;
  if (outcome == Outcome::kBlocked) return false;
  self->loop->waits().end(wait);
  if (outcome != Outcome::kDone || value) self->complete(outcome, value.get());
  return outcome == Outcome::kDone && self->call.receives();
}

Outcome SocketOperation::try_again(Ref& value) {
  const Ref is_done = Ref::steal(PyObject_CallMethodNoArgs(future, loop->names().done));
  if (!is_done) return Outcome::kFailed;
  // Cancelled: what has arrived is for the next operation.
  if (is_done.get() != Py_False) return Outcome::kDone;
  int fd;
  if (!call.descriptor(loop, &fd)) return Outcome::kFailed;
  const Outcome outcome = call.attempt(loop, fd, value);
  return outcome == Outcome::kUnsuited ? call.attempt_in_python(value) : outcome;
}

void SocketOperation::complete(Outcome outcome, PyObject* value) {
  const Ref own_future = Ref::borrow(future);
  Ref exception;
  if (outcome != Outcome::kDone) exception = take_exception();
  PyObject* method = exception ? loop->names().set_exception : loop->names().set_result;
  const Ref set = Ref::steal(PyObject_CallMethodOneArg(own_future.get(), method, exception ? exception.get() : value));
  if (!set) PyErr_WriteUnraisable(object());
}

// --- the coroutine ---------------------------------------------------------------------------------------------------

PyObject* SocketOperation::await(PyObject* self) { return await_coroutine(self, from(self)->awaited != nullptr); }

PyObject* SocketOperation::send(PyObject* self, PyObject* value) {
  PyObject* result = nullptr;
  const PySendResult sent = step(self, value, &result);
  if (sent == PYGEN_RETURN) {
    stop_iteration(result);
    Py_CLEAR(result);
  }
  return result;
}

PyObject* SocketOperation::next(PyObject* self) {
  PyObject* result = nullptr;
  if (step(self, Py_None, &result) != PYGEN_RETURN) return result;
  // The end of an iterator without an exception stands for None, and costs less.
  if (result != Py_None) stop_iteration(result);
  Py_DECREF(result);
  return nullptr;
}

PyObject* SocketOperation::throw_(PyObject* self, Arguments args, Py_ssize_t count) {
  if (!check_count("throw", count, 1, 3)) return nullptr;
#if PY_VERSION_HEX >= 0x030C0000
  if (count > 1 && PyErr_WarnEx(PyExc_DeprecationWarning,
                                "the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature "
                                "instead.",
                                1) < 0) {
    return nullptr;
  }
#endif
  SocketOperation* operation = from(self);
  if (operation->future || !operation->awaited) {
    Ref exception = thrown(args, count);
    if (!exception || !operation->resumable()) return nullptr;
    operation->finish();
    put_exception(std::move(exception));
    return nullptr;
  }
  if (!operation->resumable()) return nullptr;
  operation->state = kRunning;
  const Ref coroutine = Ref::borrow(operation->awaited);
  const Ref method = Ref::steal(PyObject_GetAttrString(coroutine.get(), "throw"));
  PyObject* yielded = method ? PyObject_Vectorcall(method.get(), args, static_cast<size_t>(count), nullptr) : nullptr;
  if (yielded) {
    operation->state = kSuspended;
    return yielded;
  }
  const SavedException saved;
  operation->finish();
  return nullptr;
}

PyObject* SocketOperation::close(PyObject* self, PyObject*) {
  SocketOperation* operation = from(self);
  if (operation->state == kFinished) return none();
  if (!operation->resumable()) return nullptr;
  Ref closed = Ref::borrow(Py_None);
  if (operation->awaited && !operation->future) {
    operation->state = kRunning;
    const Ref coroutine = Ref::borrow(operation->awaited);
    closed = Ref::steal(PyObject_CallMethodNoArgs(coroutine.get(), operation->loop->names().close));
  }
  const SavedException saved;
  operation->finish();
  return closed.release();
}

PyObject* SocketOperation::repr(PyObject* self) {
  return PyUnicode_FromFormat("<coroutine object %s at %p>", kQualifiedNames[from(self)->call.kind], self);
}

// --- its life --------------------------------------------------------------------------------------------------------

void SocketOperation::finalize(PyObject* self) {
  SocketOperation* operation = from(self);
  if (operation->state != kCreated) return;
  const SavedException saved;
  operation->state = kFinished;
  // What the interpreter calls for its own coroutines.
  const Ref module = Ref::steal(PyImport_ImportModule("warnings"));
  const Ref warned =
      Ref::steal(module ? PyObject_CallMethod(module.get(), "_warn_unawaited_coroutine", "O", self) : nullptr);
  if (!warned) PyErr_WriteUnraisable(self);
}

void SocketOperation::dealloc(PyObject* self) {
  SocketOperation* operation = from(self);
  if (operation->state == kCreated && PyObject_CallFinalizerFromDealloc(self) < 0) return;
  PyObject_GC_UnTrack(self);
  if (operation->weak_references) PyObject_ClearWeakRefs(self);
  clear(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

int SocketOperation::traverse(PyObject* self, visitproc visit, void* arg) {
  SocketOperation* operation = from(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(operation->loop_object);
  Py_VISIT(operation->future);
  Py_VISIT(operation->awaited);
  return operation->call.traverse(visit, arg);
}

int SocketOperation::clear(PyObject* self) {
  SocketOperation* operation = from(self);
  operation->state = kFinished;
  if (operation->wait.waiting) {
    const Ref alive = Ref::borrow(self);
    operation->loop->waits().stop(&operation->wait);
    return clear(self);
  }
  const Ref future = Ref::steal(std::exchange(operation->future, nullptr));
  const Ref awaited = Ref::steal(std::exchange(operation->awaited, nullptr));
  operation->call.finish();
  const Ref loop = Ref::steal(std::exchange(operation->loop_object, nullptr));
  return 0;
}

}  // namespace mainspring
