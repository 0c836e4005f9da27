// Loop as Python sees it: a pybind11 class whose methods are native slots.
#include <cstddef>
#include <memory>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "loop/clock.hpp"
#include "loop/loop.hpp"
#include "python/arguments.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

constexpr Signature kCallSoon{"BaseEventLoop.call_soon", 1, {"callback"}};
constexpr Signature kCallSoonThreadsafe{"BaseEventLoop.call_soon_threadsafe", 1, {"callback"}};
constexpr Signature kCallLater{"BaseEventLoop.call_later", 2, {"delay", "callback"}};
constexpr Signature kCallAt{"BaseEventLoop.call_at", 2, {"when", "callback"}};
constexpr Signature kMakeHandle{"_make_handle", 1, {"callback"}};
constexpr Signature kAdd[] = {{"BaseSelectorEventLoop.add_reader", 2, {"fd", "callback"}},
                              {"BaseSelectorEventLoop.add_writer", 2, {"fd", "callback"}}};
constexpr Signature kRemoveReader{"BaseSelectorEventLoop.remove_reader", 1, {"fd"}};
constexpr Signature kRemoveWriter{"BaseSelectorEventLoop.remove_writer", 1, {"fd"}};

PyObject* call_soon(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  Given given;
  if (!loop || !parse(kCallSoon, &loop->state().context_keyword, args, count, keywords, &given)) return nullptr;
  if (!loop->check_open()) return nullptr;
  PyObject* callback = given.values[0];
  if (loop->debug && !loop->check_debug(callback, "call_soon", true)) return nullptr;
  return reinterpret_cast<PyObject*>(loop->call_soon(callback, given.rest, given.rest_count, given.context));
}

PyObject* call_soon_threadsafe(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  Given given;
  if (!loop || !parse(kCallSoonThreadsafe, &loop->state().context_keyword, args, count, keywords, &given))
    return nullptr;
  if (!loop->check_open()) return nullptr;
  PyObject* callback = given.values[0];
  if (loop->debug && !loop->check_debug(callback, "call_soon_threadsafe", false)) return nullptr;
  Handle* handle = loop->call_soon(callback, given.rest, given.rest_count, given.context);
  if (!handle) return nullptr;
  handle->threadsafe = loop->state().asyncio_thread_safe_handle != nullptr;
  loop->wake_without_gil();
  return reinterpret_cast<PyObject*>(handle);
}

PyObject* schedule_at(Loop* loop, double when, const Given& given) {
  if (!loop->check_open()) return nullptr;
  PyObject* callback = given.values[1];
  // call_later() of the default loop calls call_at(), which checks.
  if (loop->debug && !loop->check_debug(callback, "call_at", true)) return nullptr;
  return reinterpret_cast<PyObject*>(loop->call_at(when, callback, given.rest, given.rest_count, given.context));
}

// Seconds from the first argument, with `refusal` for None. False with an exception set.
bool parse_seconds(const Given& given, const char* refusal, double* result) {
  if (given.values[0] == Py_None) {
    PyErr_SetString(PyExc_TypeError, refusal);
    return false;
  }
  *result = PyFloat_AsDouble(given.values[0]);
  return !(*result == -1.0 && PyErr_Occurred());
}

PyObject* call_later(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  Given given;
  if (!loop || !parse(kCallLater, &loop->state().context_keyword, args, count, keywords, &given)) return nullptr;
  double delay;
  double now;
  if (!parse_seconds(given, "delay must not be None", &delay) || !loop->read_clock(&now)) return nullptr;
  return schedule_at(loop, now + delay, given);
}

PyObject* call_at(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  Given given;
  if (!loop || !parse(kCallAt, &loop->state().context_keyword, args, count, keywords, &given)) return nullptr;
  double when;
  return parse_seconds(given, "when cannot be None", &when) ? schedule_at(loop, when, given) : nullptr;
}

PyObject* get_time(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  ModuleState& state = loop->state();
  if (loop->virtual_time()) [[unlikely]]
    return PyFloat_FromDouble(seconds(loop->virtual_time()->clock.now()));
  if (!state.time.monotonic_is_replaced()) [[likely]]
    return PyFloat_FromDouble(seconds(monotonic_ns()));
  // The default loop's method asks time.monotonic, unless a tool has replaced the method to except event loops
  // (freezegun's real_asyncio).
  return PyObject_CallMethodOneArg(state.default_loop, loop->names().time, self);
}

// To be called when the method time() may have become another. False with an exception set.
bool note_time_method(Loop* loop) {
  const Ref method = Ref::steal(PyObject_GetAttr(loop->self(), loop->names().time));
  if (!method) return false;
  loop->overrides_time =
      loop->virtual_time() || !PyCFunction_Check(method.get()) || PyCFunction_GET_FUNCTION(method.get()) != get_time;
  return true;
}

PyObject* stop(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  loop->stop();
  return none();
}

PyObject* is_running(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  return PyBool_FromLong(loop->thread_id && loop->thread_id != Py_None);
}

PyObject* is_closed(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  return loop ? PyBool_FromLong(loop->closed) : nullptr;
}

PyObject* get_debug_flag(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  return loop ? PyBool_FromLong(loop->debug) : nullptr;
}

PyObject* check_closed(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  return loop && loop->check_open() ? none() : nullptr;
}

PyObject* run(PyObject* self, PyObject* handles_signals) {
  Loop* loop = Loop::from(self);
  if (!loop || !note_time_method(loop)) return nullptr;
  return guarded([&] { return loop->run(handles_signals == Py_True) ? none() : nullptr; });
}

PyObject* close_core(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  loop->close();
  return none();
}

PyObject* open_signal_pipe(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  return guarded([&]() -> PyObject* {
    loop->open_signal_pipe();
    return PyLong_FromLong(loop->signal_pipe().write_end());
  });
}

// _forward_signals_to(fd): the wakeup descriptor that the program had set, -1 for none.
PyObject* forward_signals_to(PyObject* self, PyObject* descriptor) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  const long fd = PyLong_AsLong(descriptor);
  if (fd == -1 && PyErr_Occurred()) return nullptr;
  loop->signal_pipe().set_foreign(static_cast<int>(fd));
  return none();
}

// _make_handle(callback, *args): a Handle that is not scheduled yet.
PyObject* make_handle(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  Given given;
  if (!loop || !parse(kMakeHandle, &loop->state().context_keyword, args, count, keywords, &given)) return nullptr;
  return reinterpret_cast<PyObject*>(loop->make_handle(given.values[0], given.rest, given.rest_count, given.context));
}

// _add_callback(handle): schedules a Handle once more, unless it has been cancelled.
PyObject* add_callback(PyObject* self, PyObject* handle) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  if (Py_TYPE(handle) != loop->state().handle_type) {
    return PyErr_Format(PyExc_TypeError, "a Handle of mainspring is required, not %R", Py_TYPE(handle));
  }
  auto* native = reinterpret_cast<Handle*>(handle);
  if (native->cancelled) return none();
  Py_INCREF(handle);
  if (!loop->push(native)) return nullptr;
  loop->wake_if_waiting();
  return none();
}

// The number of an int or of anything with fileno(), as selectors accepts them; LONG_MAX for what is larger. False with
// an exception set.
bool number_of(Loop* loop, PyObject* file, long* number) {
  const Ref object =
      PyLong_Check(file) ? Ref::borrow(file) : Ref::steal(PyObject_CallMethodNoArgs(file, loop->names().fileno));
  if (object) {
    int overflow = 0;
    *number = PyLong_AsLongAndOverflow(object.get(), &overflow);
    if (overflow) *number = overflow > 0 ? LONG_MAX : LONG_MIN;
    if (overflow || *number != -1 || !PyErr_Occurred()) return true;
  }
  if (PyErr_ExceptionMatches(PyExc_AttributeError) || PyErr_ExceptionMatches(PyExc_TypeError) ||
      PyErr_ExceptionMatches(PyExc_ValueError)) {
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError, "Invalid file object: %R", file);
  }
  return false;
}

// Whether it is the number of a descriptor; else sets an exception.
bool check_number(long number) {
  if (number >= 0 && number <= INT_MAX) return true;
  if (number < 0) {
    PyErr_Format(PyExc_ValueError, "Invalid file descriptor: %ld", number);
  } else {
    PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C int");
  }
  return false;
}

int descriptor_of(Loop* loop, PyObject* file) {
  long number;
  return number_of(loop, file, &number) && check_number(number) ? static_cast<int>(number) : -1;
}

// `checked`: the public method, which refuses the descriptors of transports and returns nothing.
template <WatchedDescriptors::Direction direction, bool checked>
PyObject* add_descriptor(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  Given given;
  if (!loop || !parse(kAdd[direction], nullptr, args, count, keywords, &given)) return nullptr;
  PyObject* file = given.values[0];
  long number;
  if (!number_of(loop, file, &number) || (checked && !loop->check_no_transport(number, file))) return nullptr;
  if (!loop->check_open() || !check_number(number)) return nullptr;
  const int fd = static_cast<int>(number);
  Ref handle = Ref::steal(
      reinterpret_cast<PyObject*>(loop->make_handle(given.values[1], given.rest, given.rest_count, given.context)));
  if (!handle) return nullptr;
  return guarded([&]() -> PyObject* {
    loop->descriptors().add(fd, direction, reinterpret_cast<Handle*>(Py_NewRef(handle.get())));
    loop->waits().displace(fd, direction);
    if (checked) return none();
    // Whoever keeps it may be part of a cycle through it, on a loop that never runs again.
    auto* kept = reinterpret_cast<Handle*>(handle.get());
    if (!kept->tracked) kept->track();
    return handle.release();
  });
}

// The descriptor of a process, a callback and its arguments.
PyObject* watch_exit(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_watch_exit", count, 2, PY_SSIZE_T_MAX) || !loop->check_open()) return nullptr;
  long number;
  if (!number_of(loop, args[0], &number) || !check_number(number)) return nullptr;
  Ref handle = Ref::steal(reinterpret_cast<PyObject*>(loop->make_handle(args[1], args + 2, count - 2, nullptr)));
  if (!handle) return nullptr;
  return guarded([&]() -> PyObject* {
    loop->process_exits().watch(static_cast<int>(number), std::move(handle));
    return none();
  });
}

template <WatchedDescriptors::Direction direction, bool checked>
PyObject* remove_descriptor(PyObject* self, PyObject* file) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  long number;
  if (!number_of(loop, file, &number)) return nullptr;
  if (checked && !loop->check_no_transport(number, file)) return nullptr;
  // No descriptor has a larger number, so nothing is watched.
  if (loop->closed || number > INT_MAX) Py_RETURN_FALSE;
  if (!check_number(number)) return nullptr;
  const int fd = static_cast<int>(number);
  const bool waited = loop->waits().displace(fd, direction);
  return PyBool_FromLong(loop->descriptors().remove(fd, direction) || waited);
}

PyObject* ensure_fd_no_transport(PyObject* self, PyObject* file) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  long number;
  return number_of(loop, file, &number) && loop->check_no_transport(number, file) ? none() : nullptr;
}

// _set_transport(fd, transport): whose the descriptor is, None for nobody's: sendfile() uses a transport's descriptor.
PyObject* set_transport(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_set_transport", count, 2, 2)) return nullptr;
  const int fd = descriptor_of(loop, args[0]);
  if (fd < 0) return nullptr;
  loop->set_transport(fd, args[1] == Py_None ? nullptr : args[1]);
  return none();
}

// _open_transports(): a list of the transports that own a descriptor, in the order of the descriptors.
PyObject* open_transports(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  return loop ? loop->open_transports() : nullptr;
}

PyMethodDef loop_methods[] = {
    keyword_method("call_soon", call_soon,
                   "call_soon(callback, *args, context=None): runs the callback in the next turn; returns a Handle."),
    keyword_method("call_soon_threadsafe", call_soon_threadsafe,
                   "call_soon() for other threads and signal handlers: also wakes the loop."),
    keyword_method("call_later", call_later,
                   "call_later(delay, callback, *args, context=None): runs the callback after `delay` seconds, never "
                   "earlier; returns a TimerHandle."),
    keyword_method("call_at", call_at,
                   "call_at(when, callback, *args, context=None): runs the callback when time() has reached `when`."),
    bare_method("time", get_time, "The loop's clock, time.monotonic(), in seconds."),
    bare_method("stop", stop, "Ends run_forever() after the current turn."),
    bare_method("is_running", is_running, "Whether the loop is running."),
    bare_method("is_closed", is_closed, "Whether the loop has been closed."),
    bare_method("get_debug", get_debug_flag, "Whether the loop is in debug mode."),
    bare_method("_check_closed", check_closed, nullptr),
    keyword_method("add_reader", (add_descriptor<WatchedDescriptors::kReader, true>),
                   "add_reader(fd, callback, *args): runs the callback whenever the descriptor can be read."),
    keyword_method("add_writer", (add_descriptor<WatchedDescriptors::kWriter, true>),
                   "add_writer(fd, callback, *args): runs the callback whenever the descriptor can be written."),
    keyword_method("remove_reader", (named<kRemoveReader, remove_descriptor<WatchedDescriptors::kReader, true>>),
                   "Stops watching for reading; whether it was watched."),
    keyword_method("remove_writer", (named<kRemoveWriter, remove_descriptor<WatchedDescriptors::kWriter, true>>),
                   "Stops watching for writing; whether it was watched."),
    method("_watch_exit", watch_exit, nullptr),
    keyword_method("_add_reader", (add_descriptor<WatchedDescriptors::kReader, false>), nullptr),
    keyword_method("_add_writer", (add_descriptor<WatchedDescriptors::kWriter, false>), nullptr),
    single_method("_remove_reader", (remove_descriptor<WatchedDescriptors::kReader, false>), nullptr),
    single_method("_remove_writer", (remove_descriptor<WatchedDescriptors::kWriter, false>), nullptr),
    single_method("_ensure_fd_no_transport", ensure_fd_no_transport, nullptr),
    method("_set_transport", set_transport, nullptr),
    bare_method("_open_transports", open_transports, nullptr),
    single_method("_run", run, nullptr),
    bare_method("_close", close_core, nullptr),
    bare_method("_open_signal_pipe", open_signal_pipe, nullptr),
    single_method("_forward_signals_to", forward_signals_to, nullptr),
    keyword_method("_make_handle", make_handle, nullptr),
    single_method("_add_callback", add_callback, nullptr),
};

// What BaseEventLoop's Python code reads and writes, kept where native code reads it.
template <bool Loop::* field>
PyObject* get_flag(PyObject* self, void*) {
  Loop* loop = Loop::from(self);
  return loop ? PyBool_FromLong(loop->*field) : nullptr;
}

template <bool Loop::* field>
int set_flag(PyObject* self, PyObject* value, void*) {
  Loop* loop = Loop::from(self);
  if (!loop) return -1;
  const int truth = value ? PyObject_IsTrue(value) : 0;
  if (truth < 0) return -1;
  loop->*field = truth;
  return 0;
}

template <PyObject* Loop::* field>
PyObject* get_object(PyObject* self, void*) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  return Py_NewRef(loop->*field ? loop->*field : Py_None);
}

template <PyObject* Loop::* field>
int set_object(PyObject* self, PyObject* value, void*) {
  Loop* loop = Loop::from(self);
  if (!loop) return -1;
  Py_XSETREF(loop->*field, Py_XNewRef(value));
  return 0;
}

PyGetSetDef loop_attributes[] = {
    {"_debug", get_flag<&Loop::debug>, set_flag<&Loop::debug>, nullptr, nullptr},
    {"_closed", get_flag<&Loop::closed>, set_flag<&Loop::closed>, nullptr, nullptr},
    {"_stopping", get_flag<&Loop::stopping>, set_flag<&Loop::stopping>, nullptr, nullptr},
    {"_native_streams", get_flag<&Loop::native_streams>, set_flag<&Loop::native_streams>, nullptr, nullptr},
    {"_thread_id", get_object<&Loop::thread_id>, set_object<&Loop::thread_id>, nullptr, nullptr},
    {"_task_factory", get_object<&Loop::task_factory>, set_object<&Loop::task_factory>, nullptr, nullptr},
    {"_current_handle", get_object<&Loop::current_handle>, set_object<&Loop::current_handle>, nullptr, nullptr},
    {"_default_executor", get_object<&Loop::default_executor>, set_object<&Loop::default_executor>, nullptr, nullptr},
    {"_executor_shutdown_called", get_flag<&Loop::executor_shutdown_called>, set_flag<&Loop::executor_shutdown_called>,
     nullptr, nullptr},
    {},
};

std::vector<PyMethodDef>& all_loop_methods() {
  static std::vector<PyMethodDef> methods = [] {
    std::vector<PyMethodDef> all(std::begin(loop_methods), std::end(loop_methods));
    for (const PyMethodDef* room :
         {datagram_methods_of_loop, diagnostics_methods_of_loop, executor_methods_of_loop, future_methods_of_loop,
          metrics_methods_of_loop, name_methods_of_loop, socket_methods_of_loop, stream_methods_of_loop,
          tls_methods_of_loop, virtual_time_methods_of_loop}) {
      for (const PyMethodDef* row = room; row->ml_name; ++row) all.push_back(*row);
    }
    all.push_back({});
    return all;
  }();
  return methods;
}

Loop* loop_or_null(PyObject* self) {
  return static_cast<Loop*>(reinterpret_cast<py::detail::instance*>(self)->simple_value_holder[0]);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Loop* loop = loop_or_null(self);
  return loop ? loop->traverse(visit, arg) : 0;
}

int clear(PyObject* self) {
  if (Loop* loop = loop_or_null(self)) loop->clear();
  return 0;
}

int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  if (PyObject_GenericSetAttr(self, name, value) < 0) return -1;
  Loop* loop = loop_or_null(self);
  if (!loop || PyUnicode_Compare(name, loop->names().time) != 0) return 0;
  return note_time_method(loop) ? 0 : -1;
}

// As pybind11's own, which does not expect an allocation to fail.
PyObject* new_loop(PyTypeObject* type, PyObject*, PyObject*) {
  forget_last_interpreter();
  return guarded([&] {
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (self) reinterpret_cast<py::detail::instance*>(self.get())->allocate_layout();
    return self.release();
  });
}

void dealloc(PyObject* self) {
  forget_last_interpreter();
  reinterpret_cast<PyTypeObject*>(py::detail::get_internals().instance_base)->tp_dealloc(self);
}

void set_up_type(PyHeapTypeObject* heap_type) {
  PyTypeObject* type = &heap_type->ht_type;
  type->tp_new = new_loop;
  type->tp_flags |= Py_TPFLAGS_HAVE_GC;
  type->tp_traverse = traverse;
  type->tp_clear = clear;
  type->tp_setattro = set_attribute;
  type->tp_dealloc = dealloc;
  type->tp_methods = all_loop_methods().data();
  type->tp_getset = loop_attributes;
}

}  // namespace

void bind_loop(py::module_& module, ModuleState& state) {
  py::class_<Loop>(module, "Loop", py::custom_type_setup(set_up_type),
                   "The native half of mainspring.Loop: scheduling, timers, descriptors and stream transports.")
      .def(
          "__init__",
          [&state](py::detail::value_and_holder& self) {
            // pybind11 would make a RuntimeError of what the system says.
            const Ref made = Ref::steal(guarded([&]() -> PyObject* {
              auto loop = std::make_unique<Loop>(state);
              loop->set_self(reinterpret_cast<PyObject*>(self.inst));
              if (!note_time_method(loop.get())) return nullptr;
              self.value_ptr() = loop.release();
              return none();
            }));
            if (!made) throw py::error_already_set();
          },
          py::detail::is_new_style_constructor());
}

}  // namespace mainspring
