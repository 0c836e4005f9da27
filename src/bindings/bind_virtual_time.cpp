// VirtualClock, and what mainspring.VirtualTimeLoop needs of the Loop.
#include <cmath>
#include <memory>
#include <string>

#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "loop/loop.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

int64_t nanoseconds(const char* name, double value) {
  if (value >= 9e9) return TimerWheel::kNever;
  if (value >= 0) return std::llround(value * 1e9);
  throw py::value_error(std::string(name) + " must be a number of seconds that is not negative");
}

std::unique_ptr<VirtualClock> make_clock(double start, double patience, double grace) {
  // A wall clock's time would do as well; the end of what timers can express would not.
  if (start > 4e9) throw py::value_error("start must be less than 4e9 seconds");
  return std::make_unique<VirtualClock>(nanoseconds("start", start), nanoseconds("patience", patience),
                                        nanoseconds("grace", grace));
}

void advance(VirtualClock& clock, double duration) {
  const int64_t step = nanoseconds("seconds", duration);
  int64_t moment;
  if (__builtin_add_overflow(clock.now(), step, &moment) || moment == TimerWheel::kNever) {
    throw py::value_error("the clock cannot go that far");
  }
  clock.move_to(moment);
  // It may wait in real time while another thread calls this.
  if (clock.loop) clock.loop->wake_if_waiting();
}

// _use_clock(clock): the loop goes by this VirtualClock from now on.
PyObject* use_clock(PyObject* self, PyObject* clock) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  return guarded([&]() -> PyObject* {
    if (!py::isinstance<VirtualClock>(clock)) {
      return PyErr_Format(PyExc_TypeError, "clock must be a VirtualClock, not %.200s", Py_TYPE(clock)->tp_name);
    }
    return loop->use_clock(clock, py::handle(clock).cast<VirtualClock*>()) ? none() : nullptr;
  });
}

VirtualTime* virtual_time_of(PyObject* self) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  if (!loop->virtual_time()) PyErr_SetString(PyExc_RuntimeError, "this loop is not in virtual time");
  return loop->virtual_time();
}

PyObject* get_clock(PyObject* self, PyObject*) {
  VirtualTime* time = virtual_time_of(self);
  return time ? Py_NewRef(time->object()) : nullptr;
}

// _begin_work(): timers wait until _end_work() is called with the number that this returns.
PyObject* begin_work(PyObject* self, PyObject*) {
  VirtualTime* time = virtual_time_of(self);
  return time ? PyLong_FromUnsignedLongLong(time->begin_work()) : nullptr;
}

PyObject* end_work(PyObject* self, PyObject* number) {
  VirtualTime* time = virtual_time_of(self);
  if (!time) return nullptr;
  const auto value = PyLong_AsUnsignedLongLong(number);
  if (value == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return nullptr;
  time->end_work(value);
  return none();
}

}  // namespace

PyMethodDef virtual_time_methods_of_loop[] = {
    single_method("_use_clock", use_clock, nullptr),
    bare_method("_get_clock", get_clock, nullptr),
    bare_method("_begin_work", begin_work, nullptr),
    single_method("_end_work", end_work, nullptr),
    {},
};

void bind_virtual_time(py::module_& module) {
  py::class_<VirtualClock>(module, "VirtualClock", py::is_final(),
                           "The clock of a loop in virtual time: it jumps from timer to timer.")
      .def(py::init(&make_clock), py::arg("start") = 0.0, py::kw_only(), py::arg("patience") = 10.0,
           py::arg("grace") = 0.1)
      .def(
          "time", [](const VirtualClock& clock) { return seconds(clock.now()); },
          "The present in seconds: what time() of its loop returns.")
      .def("advance", advance, py::arg("seconds"), "Moves the clock on by so many seconds.");
}

}  // namespace mainspring
