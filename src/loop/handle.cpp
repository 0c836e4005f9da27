#include "loop/handle.hpp"

#include <cstddef>

#include "loop/loop.hpp"

namespace mainspring {

namespace {

TimerHandle* timer_of(PyObject* self) { return reinterpret_cast<TimerHandle*>(self); }

bool is_timer_handle(PyObject* self, PyObject* other) { return Py_TYPE(self) == Py_TYPE(other); }

// Equality as asyncio.TimerHandle defines it: time, callback, arguments and state.
int equal(TimerHandle* a, TimerHandle* b) {
  if (a->when != b->when || a->cancelled != b->cancelled) return 0;
  const int same_callback = PyObject_RichCompareBool(a->visible_callback(), b->visible_callback(), Py_EQ);
  if (same_callback <= 0) return same_callback;
  const Ref left_arguments = Ref::steal(a->arguments());
  const Ref right_arguments = Ref::steal(b->arguments());
  if (!left_arguments || !right_arguments) return -1;
  return PyObject_RichCompareBool(left_arguments.get(), right_arguments.get(), Py_EQ);
}

}  // namespace

PyObject* Handle::get_context(PyObject* self, PyObject*) {
  Handle* handle = handle_of(self);
  return handle->loop->contexts().separate(handle) ? Py_NewRef(handle->context) : nullptr;
}

PyObject* Handle::cancel(PyObject* self, PyObject*) {
  Handle* handle = handle_of(self);
  handle->wait_while_running();
  if (handle->cancelled) return none();
  if (handle->loop->debug) {
    // The callback and its arguments stay visible, for example in "Executing <Handle...> took 2.5 seconds".
    handle->cancelled = true;
    PyObject* text = PyObject_Repr(self);
    handle->cancelled = false;
    if (!text) return nullptr;
    handle->was_debugged = true;
    Py_XSETREF(handle->saved_repr, text);
  }
  handle->cancelled = true;
  if (handle->is_timer) handle->loop->remove_timer(static_cast<TimerHandle*>(handle));
  // While it runs, the callback uses the arguments; run_handle drops them afterwards.
  if (handle->running) {
    handle->detached = true;
  } else {
    handle->drop_callback();
  }
  return none();
}

PyObject* Handle::get_cancelled(PyObject* self, PyObject*) {
  handle_of(self)->wait_while_running();
  return PyBool_FromLong(handle_of(self)->cancelled);
}

void Handle::wait_while_running() {
  if (threadsafe && running) [[unlikely]]
    loop->wait_for_callback(this);
}

PyObject* Handle::run(PyObject* self, PyObject*) {
  Handle* handle = handle_of(self);
  Loop* loop = handle->loop;
  if (!loop->contexts().separate(handle)) return nullptr;
  const bool running = handle->running;
  PyObject* const outer = loop->begin_nested();
  const int status = loop->run_handle(handle);
  loop->end_nested(outer);
  handle->running = running;
  return status < 0 ? nullptr : none();
}

PyObject* Handle::arguments() const {
  if (!callback || detached) return none();
  if (overflow) return Py_NewRef(overflow);
  PyObject* tuple = PyTuple_New(argument_count);
  if (!tuple) return nullptr;
  for (int i = 0; i < argument_count; ++i) PyTuple_SET_ITEM(tuple, i, Py_NewRef(slots[1 + i]));
  return tuple;
}

void Handle::drop_callback() {
  if (argument_count == 0 && !overflow) {
    Py_XDECREF(std::exchange(callback, nullptr));
    return;
  }
  // Everything is detached before the first reference goes: finalizers run Python, which may look at the Handle.
  PyObject* old[2 + kInlineArguments];
  int count = 0;
  old[count++] = std::exchange(callback, nullptr);
  old[count++] = std::exchange(overflow, nullptr);
  for (int i = 0; i < argument_count; ++i) old[count++] = std::exchange(slots[1 + i], nullptr);
  argument_count = 0;
  for (int i = 0; i < count; ++i) Py_XDECREF(old[i]);
}

void Handle::track() {
  tracked = true;
  PyObject_GC_Track(this);
}

int Handle::visit_references(visitproc visit, void* argument) {
  PyObject* const* arg = argument_count ? slots + 1 : nullptr;
  for (int i = 0; i < argument_count; ++i) {
    if (const int result = arg[i] ? visit(arg[i], argument) : 0) return result;
  }
  for (PyObject* object : {loop->self(), callback, context, source_traceback, overflow}) {
    if (const int result = object ? visit(object, argument) : 0) return result;
  }
  return 0;
}

int Handle::traverse(PyObject* self, visitproc visit, void* argument) {
  if (const int result = visit(reinterpret_cast<PyObject*>(Py_TYPE(self)), argument)) return result;
  return handle_of(self)->visit_references(visit, argument);
}

int Handle::clear(PyObject* self) {
  Handle* handle = handle_of(self);
  handle->drop_callback();
  Py_CLEAR(handle->source_traceback);
  Py_CLEAR(handle->saved_repr);
  return 0;
}

void Handle::dealloc(PyObject* self) {
  Handle* handle = handle_of(self);
  if (handle->tracked) {
    PyObject_GC_UnTrack(self);
    handle->tracked = false;
  }
  if (handle->weak_references) PyObject_ClearWeakRefs(self);
  handle->drop_callback();
  if (handle->was_debugged) [[unlikely]] {
    handle->was_debugged = false;
    Py_CLEAR(handle->source_traceback);
    Py_CLEAR(handle->saved_repr);
  }
  Py_CLEAR(handle->context);
  if (handle->shares_context) handle->loop->released_snapshot();
  const Ref loop = Ref::steal(handle->loop->self());
  if (!handle->loop->give_free(handle)) free_handle(handle);
}

void free_handle(Handle* handle) {
  auto* self = reinterpret_cast<PyObject*>(handle);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

PyObject* Handle::repr(PyObject* self) {
  Handle* handle = handle_of(self);
  if (handle->saved_repr) return Py_NewRef(handle->saved_repr);
  const Ref module = Ref::steal(PyImport_ImportModule("mainspring._describe"));
  if (!module) return nullptr;
  return PyObject_CallMethod(module.get(), "handle_repr", "O", self);
}

PyObject* TimerHandle::get_when(PyObject* self, PyObject*) { return PyFloat_FromDouble(timer_of(self)->when); }

Py_hash_t TimerHandle::hash(PyObject* self) {
  const Ref when = Ref::steal(PyFloat_FromDouble(timer_of(self)->when));
  return when ? PyObject_Hash(when.get()) : -1;
}

PyObject* TimerHandle::compare(PyObject* self, PyObject* other, int operation) {
  if (!is_timer_handle(self, other)) Py_RETURN_NOTIMPLEMENTED;
  TimerHandle* a = timer_of(self);
  TimerHandle* b = timer_of(other);
  bool result = false;
  switch (operation) {
    case Py_LT:
      return PyBool_FromLong(a->when < b->when);
    case Py_GT:
      return PyBool_FromLong(a->when > b->when);
    case Py_LE:
      result = a->when < b->when;
      break;
    case Py_GE:
      result = a->when > b->when;
      break;
  }
  if (!result) {
    const int same = equal(a, b);
    if (same < 0) return nullptr;
    result = same;
  }
  return PyBool_FromLong(operation == Py_NE ? !result : result);
}

}  // namespace mainspring
