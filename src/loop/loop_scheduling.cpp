// Handles: made, scheduled, recycled.
#include <new>

#include "loop/clock.hpp"
#include "loop/loop.hpp"

namespace mainspring {

Handle* Loop::take_free(bool timer) {
  auto& list = timer ? free_timer_handles_ : free_handles_;
  PyTypeObject* type = timer ? state_.timer_handle_type : state_.handle_type;
  Handle* handle;
  if (!list.empty()) [[likely]] {
    handle = list.back();
    list.pop_back();
    // The freelist keeps the reference to the type, so only the object itself is new.
    Py_SET_REFCNT(reinterpret_cast<PyObject*>(handle), 1);
  } else {
    handle = reinterpret_cast<Handle*>(timer ? reinterpret_cast<PyObject*>(PyObject_GC_New(TimerHandle, type))
                                             : reinterpret_cast<PyObject*>(PyObject_GC_New(Handle, type)));
    if (!handle) return nullptr;
    handle->weak_references = nullptr;
    handle->source_traceback = nullptr;
    handle->saved_repr = nullptr;
    handle->overflow = nullptr;
    handle->is_timer = timer;
    handle->was_debugged = false;
    handle->tracked = false;
    if (timer) new (static_cast<TimerNode*>(static_cast<TimerHandle*>(handle))) TimerNode();
  }
  handle->loop = this;
  Py_INCREF(self_);
  handle->cancelled = false;
  handle->running = false;
  handle->threadsafe = false;
  handle->detached = false;
  return handle;
}

bool Loop::give_free(Handle* handle) {
  auto& list = handle->is_timer ? free_timer_handles_ : free_handles_;
  if (list.size() >= kFreeHandles) return false;
  list.push_back(handle);
  return true;
}

Handle* Loop::make(Runs runs, PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context) {
  const bool timer = runs == Runs::kAtItsTime;
  bool shared = false;
  Ref own_context = Ref::steal(context                ? Py_NewRef(context)
                               : runs == Runs::kOften ? PyContext_CopyCurrent()
                                                      : contexts_.snapshot(&shared));
  if (!own_context) return nullptr;
  Ref overflow;
  if (count > Handle::kInlineArguments) [[unlikely]] {
    overflow = Ref::steal(PyTuple_New(count));
    if (!overflow) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(overflow.get(), i, Py_NewRef(args[i]));
    count = 0;
  }
  Ref traceback;
  if (debug) [[unlikely]] {
    traceback = Ref::steal(source_traceback());
    if (!traceback) return nullptr;
  }
  Handle* handle = take_free(timer);
  if (!handle) return nullptr;
  handle->callback = Py_NewRef(callback);
  handle->context = own_context.release();
  handle->shares_context = shared;
  if (traceback) [[unlikely]] {
    handle->was_debugged = true;
    handle->source_traceback = traceback.release();
  }
  handle->overflow = overflow.release();
  handle->argument_count = static_cast<uint8_t>(count);
  for (Py_ssize_t i = 0; i < count; ++i) handle->slots[1 + i] = Py_NewRef(args[i]);
  return handle;
}

Handle* Loop::make_handle(PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context) {
  return make(Runs::kOften, callback, args, count, context);
}

bool Loop::push(Handle* stolen) {
  try {
    ready_.push(ReadyItem(stolen, kHandle));
    return true;
  } catch (const std::bad_alloc&) {
    Py_DECREF(reinterpret_cast<PyObject*>(stolen));
    PyErr_NoMemory();
    return false;
  }
}

bool Loop::push_step(IoObject* io) {
  try {
    ready_.push(ReadyItem(io, kStep));
    Py_INCREF(io->object);
    return true;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
}

void Loop::push_completion(Completion* completion) { ready_.push(ReadyItem(completion, kCompletion)); }

Handle* Loop::call_soon(PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context) {
  Handle* handle = make(Runs::kSoon, callback, args, count, context);
  if (!handle) return nullptr;
  Py_INCREF(reinterpret_cast<PyObject*>(handle));
  if (push(handle)) [[likely]]
    return handle;
  Py_DECREF(reinterpret_cast<PyObject*>(handle));
  return nullptr;
}

TimerHandle* Loop::call_at(double when, PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context) {
  auto* handle = static_cast<TimerHandle*>(make(Runs::kAtItsTime, callback, args, count, context));
  if (!handle) return nullptr;
  handle->when = when;
  Py_INCREF(reinterpret_cast<PyObject*>(handle));
  timers_.insert(handle, virtual_time_ ? virtual_time_->clock.deadline_of(when) : first_ns_at(when));
  if (timer_spacing_.crowded() && (has_other_clock() || handle->deadline <= monotonic_ns())) timer_spacing_.hurry();
  ++counters.timers_set;
  handle->track();
  return handle;
}

void Loop::remove_timer(TimerHandle* handle) {
  if (!handle->scheduled()) return;
  timers_.remove(handle);
  Py_DECREF(reinterpret_cast<PyObject*>(handle));
}

void Loop::wake_if_waiting() {
  if (claim_wake()) send_wake();
}

void Loop::wake_without_gil() {
  if (!claim_wake()) return;
  PyThreadState* thread = PyEval_SaveThread();
  send_wake();
  PyEval_RestoreThread(thread);
}

bool Loop::claim_wake() {
  if (!waiting_ || woken_) return false;
  woken_ = true;
  wakes_claimed_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Loop::send_wake() {
  if (phase_.exchange(kWoken) == kPolling) waker_->wake();
  wakes_claimed_.fetch_sub(1, std::memory_order_release);
}

void Loop::wake_soon(Sleeper& sleeper) {
  if (!in_turn_) return sleeper.wake();
  const Sleeper::Address address = sleeper.wake_later();
  if (!address) return;
  wake_owed();
  owed_ = address;
  owed_since_ = monotonic_ns();
}

void Loop::wake_owed() {
  if (owed_) Sleeper::finish(std::exchange(owed_, nullptr));
}

bool Loop::check_open() {
  if (!closed) [[likely]]
    return true;
  PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
  return false;
}

bool Loop::check_debug(PyObject* callback, const char* method, bool check_thread) {
  if (check_thread) {
    const Ref result = Ref::steal(PyObject_CallMethodNoArgs(self_, names()._check_thread));
    if (!result) return false;
  }
  const Ref name = Ref::steal(PyUnicode_FromString(method));
  if (!name) return false;
  const Ref result =
      Ref::steal(PyObject_CallMethodObjArgs(self_, names()._check_callback, callback, name.get(), nullptr));
  return static_cast<bool>(result);
}

PyObject* Loop::source_traceback() {
  const Ref helpers = Ref::steal(PyImport_ImportModule("asyncio.format_helpers"));
  if (!helpers) return nullptr;
  PyObject* frame = reinterpret_cast<PyObject*>(PyEval_GetFrame());
  if (!frame) return PyList_New(0);
  return PyObject_CallMethod(helpers.get(), "extract_stack", "O", frame);
}

}  // namespace mainspring
