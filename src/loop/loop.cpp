#include "loop/loop.hpp"

#include <pybind11/pybind11.h>

#include <cstdlib>
#include <new>

#include "loop/clock.hpp"
#include "uv/failure.hpp"

namespace mainspring {

namespace {

// Transports' output waits at most this long for the turn to end, so that nobody waits for his neighbours' callbacks.
constexpr int64_t kFlushInterval = 50'000;  // ns

constexpr size_t kPageSize = 4096;

}  // namespace

Loop::Loop(ModuleState& state)
    : state_(state),
      module_(Ref::borrow(state.module)),
      uv_(std::make_unique<uv::EventLoop>()),
      descriptors_(*this),
      // A buffer this large from malloc lies 16 bytes past a page, where copying is many times slower on some
      // processors.
      read_buffer_(static_cast<char*>(std::aligned_alloc(kPageSize, kReadBufferSize))) {
  if (!read_buffer_) throw std::bad_alloc();
}

Loop::~Loop() {
  close();
  for (Handle* handle : free_handles_) free_handle(handle);
  for (Handle* handle : free_timer_handles_) free_handle(handle);
  Py_CLEAR(thread_id);
  Py_CLEAR(task_factory);
  Py_CLEAR(current_handle);
}

Loop* Loop::from(PyObject* self) {
  // pybind11 keeps the C++ object of a class without multiple C++ bases in the first slot of its instance.
  auto* loop =
      static_cast<Loop*>(reinterpret_cast<pybind11::detail::instance*>(self)->simple_value_holder[0]);
  if (loop) [[likely]]
    return loop;
  PyErr_SetString(PyExc_RuntimeError, "the loop was not initialized: Loop.__init__() has not been called");
  return nullptr;
}

// --- running ---------------------------------------------------------------------------------------------------------

bool Loop::run(bool handles_signals) {
  handles_signals_ = handles_signals && state_.main_interpreter;
  if (handles_signals_) open_signal_pipe();
  expect_events();
  do {
    if (!run_once()) return false;
  } while (!stopping);
  return true;
}

void Loop::open_signal_pipe() {
  signal_pipe_.open(*uv_, this, [](void* owner, int) { return static_cast<Loop*>(owner)->serve_signals(); });
}

int Loop::serve_signals() {
  unsigned char numbers[256];
  while (const size_t count = signal_pipe_.read(numbers, sizeof numbers)) {
    signal_pipe_.forward(numbers, count);
    for (size_t i = 0; i < count; ++i) {
      if (numbers[i] == 0) continue;
      const Ref number = Ref::steal(PyLong_FromLong(numbers[i]));
      if (!number) return -1;
      const Ref result = Ref::steal(PyObject_CallMethodOneArg(self_, names()._handle_signal, number.get()));
      if (!result) return -1;
    }
  }
  return 0;
}

bool Loop::run_once() {
  if (ready_.empty() && !stopping) {
    const int64_t now = monotonic_ns();
    const int64_t deadline = timers_.next_deadline();
    if (deadline <= now) {
      look();
    } else if (!wait(deadline, now)) {
      return false;
    }
  } else if (policy_.should_poll(monotonic_ns)) {
    look();
  }
  if (handles_signals_ && PyErr_CheckSignals() < 0) return false;

  if (!timers_.empty()) {
    const int64_t now = monotonic_ns();
    while (TimerNode* node = timers_.pop_due(now)) {
      // The wheel's reference becomes the queue's.
      ready_.push(ReadyItem(static_cast<Handle*>(TimerEntry::handle_of(node)), kHandle));
    }
  }

  in_turn_ = true;
  bool ok = true;
  for (size_t todo = ready_.size(); ok && todo > 0; --todo) {
    ok = serve(ready_.pop());
    if (!unflushed_.empty() && ok && monotonic_ns() - unflushed_since_ > kFlushInterval) ok = flush();
  }
  in_turn_ = false;
  if (!ok) {
    const SavedException saved;
    leave_context();
    flush();
    return false;
  }
  leave_context();
  return unflushed_.empty() || flush();
}

bool Loop::wait(int64_t deadline, int64_t now) {
  if (handles_signals_) {
    signal_pipe_.begin_wait();
    // A signal before this point has not written to the pipe.
    if (PyErr_CheckSignals() < 0) {
      signal_pipe_.end_wait();
      return false;
    }
    if (!ready_.empty() || stopping) {
      signal_pipe_.end_wait();
      look();
      return true;
    }
  }
  if (deadline == TimerWheel::kNever) {
    uv_->alarm().clear();
  } else {
    uv_->alarm().set(deadline, now);
  }
  descriptors_.check_new();
  waiting_ = true;
  PyThreadState* thread = PyEval_SaveThread();
  uv_->wait();
  PyEval_RestoreThread(thread);
  waiting_ = false;
  woken_ = false;
  if (handles_signals_) signal_pipe_.end_wait();
  take_arrivals();
  policy_.polled(true, 0);
  return true;
}

void Loop::look() {
  descriptors_.check_new();
  uv_->poll();
  const bool found = !uv_->arrivals().empty();
  take_arrivals();
  policy_.polled(found, policy_.eager() ? 0 : monotonic_ns());
}

void Loop::take_arrivals() {
  for (uv::Poller* poller : uv_->arrivals()) ready_.push(ReadyItem(poller, kArrival));
  uv_->arrivals().clear();
}

bool Loop::serve(ReadyItem item) {
  switch (item.kind()) {
    case kHandle: {
      auto* handle = item.as<Handle>();
      int status = 0;
      if (!handle->cancelled) status = debug ? run_debug(handle) : run_handle(handle);
      if (Py_REFCNT(handle) > 1 && !handle->tracked) handle->track();
      Py_DECREF(reinterpret_cast<PyObject*>(handle));
      return status == 0;
    }
    case kArrival:
      return serve_arrival(item.as<uv::Poller>()) == 0;
    default: {
      auto* io = item.as<IoObject>();
      const Ref alive = Ref::steal(io->object);
      return io->kind->run_step(io) == 0;
    }
  }
}

int Loop::serve_arrival(uv::Poller* poller) {
  const int events = poller->take();
  if (events == 0) return 0;
  return poller->serve(events);
}

int Loop::run_handle(Handle* handle) {
  if (handle->cancelled) return 0;
  PyObject* result = nullptr;
  if (enter_context(handle->context)) [[likely]] {
    handle->running = true;
    if (!handle->overflow) [[likely]] {
      result = PyObject_Vectorcall(handle->callback, handle->slots + 1,
                                   handle->argument_count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
    } else {
      result = PyObject_CallObject(handle->callback, handle->overflow);
    }
    handle->running = false;
  }
  int status = 0;
  if (result) [[likely]] {
    Py_DECREF(result);
  } else {
    status = report_callback_error(handle);
  }
  if (handle->cancelled) handle->drop_callback();
  return status;
}

int Loop::run_debug(Handle* handle) {
  Py_XSETREF(current_handle, Py_NewRef(reinterpret_cast<PyObject*>(handle)));
  const int64_t started = monotonic_ns();
  int status = run_handle(handle);
  if (status == 0) status = report_slow(reinterpret_cast<PyObject*>(handle), started);
  Py_CLEAR(current_handle);
  return status;
}

int Loop::report_slow(PyObject* what, int64_t started) {
  const double duration = seconds(monotonic_ns() - started);
  const Ref limit = Ref::steal(PyObject_GetAttr(self_, names().slow_callback_duration));
  if (!limit) return -1;
  const double longest = PyFloat_AsDouble(limit.get());
  if (longest == -1.0 && PyErr_Occurred()) return -1;
  if (duration < longest) return 0;
  leave_context();
  const Ref taken = Ref::steal(PyFloat_FromDouble(duration));
  if (!taken) return -1;
  const Ref result =
      Ref::steal(PyObject_CallMethodObjArgs(self_, names()._report_slow, what, taken.get(), nullptr));
  return result ? 0 : -1;
}

int Loop::report_callback_error(Handle* handle) {
  if (leaves_the_loop()) return -1;
  Ref exception = take_exception();
  // The exception handler may run in this very context (BaseEventLoop.call_exception_handler).
  leave_context();
  const Ref result = Ref::steal(PyObject_CallMethodObjArgs(self_, names()._report_callback_error,
                                                           reinterpret_cast<PyObject*>(handle), exception.get(),
                                                           nullptr));
  return result ? 0 : -1;
}

int Loop::report(const char* message, PyObject* transport, PyObject* protocol) {
  if (leaves_the_loop()) return -1;
  const Ref exception = take_exception();
  return report(message, exception.get(), transport, protocol);
}

int Loop::report(const char* message, PyObject* exception, PyObject* transport, PyObject* protocol) {
  leave_context();
  const Ref details = Ref::steal(PyDict_New());
  const Ref text = Ref::steal(PyUnicode_FromString(message));
  if (!details || !text) return -1;
  if (PyDict_SetItem(details.get(), names().message, text.get()) < 0 ||
      PyDict_SetItem(details.get(), names().exception, exception) < 0 ||
      (transport && PyDict_SetItem(details.get(), names().transport, transport) < 0) ||
      (protocol && PyDict_SetItem(details.get(), names().protocol, protocol) < 0)) {
    return -1;
  }
  const Ref result = Ref::steal(PyObject_CallMethodOneArg(self_, names().call_exception_handler, details.get()));
  return result ? 0 : -1;
}

// --- contexts --------------------------------------------------------------------------------------------------------

bool Loop::enter_context(PyObject* context) {
  if (context == entered_context_) return true;
  leave_context();
  if (PyContext_Enter(context) < 0) return false;
  entered_context_ = context;
  return true;
}

void Loop::leave_context() {
  PyObject* context = std::exchange(entered_context_, nullptr);
  if (!context) return;
  // The thread state gives up what may be the last reference; it is held until the thread has left.
  const Ref alive = Ref::borrow(context);
  if (PyContext_Exit(context) < 0) PyErr_WriteUnraisable(self_);
}

// --- scheduling ------------------------------------------------------------------------------------------------------

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
    handle->tracked = false;
    if (timer) {
      auto* timer_handle = static_cast<TimerHandle*>(handle);
      new (&timer_handle->node) TimerEntry();
      timer_handle->node.handle = timer_handle;
    }
  }
  handle->loop = this;
  handle->loop_object = Py_NewRef(self_);
  handle->cancelled = false;
  handle->running = false;
  return handle;
}

bool Loop::give_free(Handle* handle) {
  auto& list = handle->is_timer ? free_timer_handles_ : free_handles_;
  if (list.size() >= kFreeHandles) return false;
  list.push_back(handle);
  return true;
}

Handle* Loop::make(bool timer, PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context) {
  Ref own_context = context ? Ref::borrow(context) : Ref::steal(PyContext_CopyCurrent());
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
  handle->source_traceback = traceback.release();
  handle->overflow = overflow.release();
  handle->argument_count = static_cast<uint8_t>(count);
  for (Py_ssize_t i = 0; i < count; ++i) handle->slots[1 + i] = Py_NewRef(args[i]);
  return handle;
}

Handle* Loop::make_handle(PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context) {
  return make(false, callback, args, count, context);
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

Handle* Loop::call_soon(PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context) {
  Handle* handle = make_handle(callback, args, count, context);
  if (!handle) return nullptr;
  Py_INCREF(reinterpret_cast<PyObject*>(handle));
  if (push(handle)) [[likely]]
    return handle;
  Py_DECREF(reinterpret_cast<PyObject*>(handle));
  return nullptr;
}

TimerHandle* Loop::call_at(double when, PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context) {
  auto* handle = static_cast<TimerHandle*>(make(true, callback, args, count, context));
  if (!handle) return nullptr;
  handle->when = when;
  Py_INCREF(reinterpret_cast<PyObject*>(handle));
  timers_.insert(&handle->node, first_ns_at(when));
  handle->track();
  return handle;
}

void Loop::remove_timer(TimerHandle* handle) {
  if (!handle->node.scheduled()) return;
  timers_.remove(&handle->node);
  Py_DECREF(reinterpret_cast<PyObject*>(handle));
}

void Loop::wake_if_waiting() {
  if (!waiting_ || woken_) return;
  woken_ = true;
  uv_->wake();
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
  const Ref result = Ref::steal(
      PyObject_CallMethodObjArgs(self_, names()._check_callback, callback, name.get(), nullptr));
  return static_cast<bool>(result);
}

PyObject* Loop::source_traceback() {
  const Ref helpers = Ref::steal(PyImport_ImportModule("asyncio.format_helpers"));
  if (!helpers) return nullptr;
  PyObject* frame = reinterpret_cast<PyObject*>(PyEval_GetFrame());
  if (!frame) return PyList_New(0);
  return PyObject_CallMethod(helpers.get(), "extract_stack", "O", frame);
}

// --- input and output ------------------------------------------------------------------------------------------------

void Loop::hold(IoObject* io) {
  if (io->held) return;
  io->held = true;
  Py_INCREF(io->object);
  io->previous = nullptr;
  io->next = active_;
  if (active_) active_->previous = io;
  active_ = io;
}

void Loop::release(IoObject* io) {
  if (!io->held) return;
  io->held = false;
  if (io->previous) {
    io->previous->next = io->next;
  } else {
    active_ = io->next;
  }
  if (io->next) io->next->previous = io->previous;
  Py_DECREF(io->object);
}

void Loop::flush_later(IoObject* io) {
  if (io->flush_pending) return;
  if (unflushed_.empty()) unflushed_since_ = monotonic_ns();
  unflushed_.push_back(io);
  io->flush_pending = true;
  Py_INCREF(io->object);
}

bool Loop::flush() {
  // Protocol methods called on the way (pause_writing) may write again; that is sent in the same pass.
  bool ok = true;
  while (!unflushed_.empty()) {
    std::vector<IoObject*> batch;
    batch.swap(unflushed_);
    for (IoObject* io : batch) {
      const Ref alive = Ref::steal(io->object);
      io->flush_pending = false;
      if (ok) {
        ok = io->kind->flush(io) == 0;
      } else {
        const SavedException saved;
        if (io->kind->flush(io) < 0) PyErr_WriteUnraisable(io->object);
      }
    }
  }
  leave_context();
  expect_events();
  return ok;
}

void Loop::set_transport(int fd, PyObject* transport) {
  const auto index = static_cast<size_t>(fd);
  if (transport && index >= transports_.size()) transports_.resize(index + 64, nullptr);
  if (index < transports_.size()) transports_[index] = transport;
  // The number is the transport's now; what the program watched under it was closed without remove_reader().
  if (transport) descriptors_.forget_stale(fd);
}

PyObject* Loop::transport_of(int fd) const {
  const auto index = static_cast<size_t>(fd);
  return index < transports_.size() ? transports_[index] : nullptr;
}

// --- closing and the collector ---------------------------------------------------------------------------------------

void Loop::drop(ReadyItem item) {
  switch (item.kind()) {
    case kHandle:
      Py_DECREF(reinterpret_cast<PyObject*>(item.as<Handle>()));
      break;
    case kArrival:
      item.as<uv::Poller>()->take();
      break;
    default:
      Py_DECREF(item.as<IoObject>()->object);
  }
}

void Loop::drop_everything() {
  while (!ready_.empty()) drop(ready_.pop());
  while (TimerNode* node = timers_.pop_any()) {
    Py_DECREF(reinterpret_cast<PyObject*>(TimerEntry::handle_of(node)));
  }
  descriptors_.clear();
  while (!unflushed_.empty()) {
    IoObject* io = unflushed_.back();
    unflushed_.pop_back();
    io->flush_pending = false;
    Py_DECREF(io->object);
  }
  while (active_) {
    IoObject* io = active_;
    io->kind->loop_closes(io);
    release(io);
  }
}

void Loop::close() {
  if (!uv_) return;
  // Finalizers may schedule on a loop that is not marked as closed yet.
  closed = true;
  drop_everything();
  signal_pipe_.close();
  uv_.reset();
  read_buffer_.reset();
}

int Loop::visit_handle(Handle* handle, visitproc visit, void* argument) {
  auto* object = reinterpret_cast<PyObject*>(handle);
  if (!handle->tracked && Py_REFCNT(object) == 1) return handle->visit_references(visit, argument);
  return visit(object, argument);
}

int Loop::traverse(visitproc visit, void* arg) {
  Py_VISIT(module_.get());
  Py_VISIT(thread_id);
  Py_VISIT(task_factory);
  Py_VISIT(current_handle);
  for (size_t i = 0; i < ready_.size(); ++i) {
    const ReadyItem item = ready_.at(i);
    int result = 0;
    if (item.kind() == kHandle) result = visit_handle(item.as<Handle>(), visit, arg);
    if (item.kind() == kStep) result = visit(item.as<IoObject>()->object, arg);
    if (result) return result;
  }
  if (const int result = timers_.visit([&](TimerNode* node) {
        return visit_handle(TimerEntry::handle_of(node), visit, arg);
      })) {
    return result;
  }
  if (const int result = descriptors_.visit([&](Handle* handle) { return visit_handle(handle, visit, arg); })) {
    return result;
  }
  for (IoObject* io : unflushed_) Py_VISIT(io->object);
  for (IoObject* io = active_; io; io = io->next) Py_VISIT(io->object);
  return 0;
}

void Loop::clear() {
  drop_everything();
  Py_CLEAR(task_factory);
  Py_CLEAR(current_handle);
}

}  // namespace mainspring
