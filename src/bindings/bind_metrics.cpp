// What metrics() is made of (python/mainspring/_metrics.py), and the switch for the measuring of durations.
#include <limits>

#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "loop/clock.hpp"
#include "loop/loop.hpp"
#include "python/native.hpp"

namespace mainspring {

namespace {

// (((limit in seconds, how many were not longer), ...), their sum in seconds), the arguments of Python's Histogram.
PyObject* to_python(const Histogram& histogram) {
  const Ref buckets = Ref::steal(PyTuple_New(Histogram::kBuckets + 1));
  if (!buckets) return nullptr;
  unsigned long long count = 0;
  for (size_t i = 0; i <= Histogram::kBuckets; ++i) {
    count += histogram.count(i);
    const double limit =
        i < Histogram::kBuckets ? seconds(Histogram::limit(i)) : std::numeric_limits<double>::infinity();
    PyObject* bucket = Py_BuildValue("dK", limit, count);
    if (!bucket) return nullptr;
    PyTuple_SET_ITEM(buckets.get(), static_cast<Py_ssize_t>(i), bucket);
  }
  return Py_BuildValue("Od", buckets.get(), seconds(histogram.sum()));
}

// _read_metrics(): a dict by the names of the fields of Python's Metrics.
PyObject* read_metrics(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  static constexpr Timings kNothing;
  const Timings& timings = loop->timings() ? *loop->timings() : kNothing;
  const Ref lag = Ref::steal(to_python(timings.lag));
  const Ref callback_time = lag ? Ref::steal(to_python(timings.callback_times)) : Ref();
  const Ref executor_wait = callback_time ? Ref::steal(to_python(timings.executor_waits)) : Ref();
  if (!executor_wait) return nullptr;
  const Counters& counters = loop->counters;
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  const auto open = [&](OpenKind kind) { return number(counters.now_open(kind)); };
  // clang-format off
  return Py_BuildValue(
      "{s:O, s:K, s:K, s:K, s:K, s:K, s:K, s:K, s:K, s:K, s:K, s:K,"
      " s:n, s:n, s:{s:K, s:K, s:K, s:K, s:K}, s:K, s:d, s:d, s:O, s:O, s:O}",
      "measured", loop->measures() ? Py_True : Py_False,
      "turns", number(counters.turns),
      "polls", number(counters.polls),
      "waits", number(counters.waits),
      "io_events", number(counters.io_events),
      "callbacks", number(counters.callbacks),
      "timers_set", number(counters.timers_set),
      "timers_fired", number(counters.timers_fired),
      "bytes_received", number(counters.bytes_received),
      "bytes_sent", number(counters.bytes_sent),
      "connections_accepted", number(counters.connections_accepted),
      "executor_calls", number(counters.executor_calls),
      "ready", static_cast<Py_ssize_t>(loop->ready_count()),
      "timers", static_cast<Py_ssize_t>(loop->timer_count()),
      "transports",
          "tcp", open(OpenKind::kTcp),
          "unix", open(OpenKind::kUnix),
          "datagram", open(OpenKind::kDatagram),
          "pipe_reader", open(OpenKind::kPipeReader),
          "pipe_writer", open(OpenKind::kPipeWriter),
      "listeners", open(OpenKind::kListener),
      "kernel_time", seconds(timings.kernel_time),
      "gil_time", seconds(timings.gil_time),
      "lag", lag.get(),
      "callback_time", callback_time.get(),
      "executor_wait", executor_wait.get());
  // clang-format on
}

PyObject* set_metrics(PyObject* self, PyObject* enabled) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  return guarded([&] {
    loop->measure(enabled == Py_True);
    return none();
  });
}

// _count_bytes(received, sent): what Python code has received or sent for the loop.
PyObject* count_bytes(PyObject* self, Arguments args, Py_ssize_t count) {
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_count_bytes", count, 2, 2)) return nullptr;
  const size_t received = PyLong_AsSize_t(args[0]);
  if (received == static_cast<size_t>(-1) && PyErr_Occurred()) return nullptr;
  const size_t sent = PyLong_AsSize_t(args[1]);
  if (sent == static_cast<size_t>(-1) && PyErr_Occurred()) return nullptr;
  loop->counters.received(received);
  if (sent > 0) loop->sent(sent);
  return none();
}

}  // namespace

PyMethodDef metrics_methods_of_loop[] = {
    bare_method("_read_metrics", read_metrics, nullptr),
    single_method("_set_metrics", set_metrics, nullptr),
    method("_count_bytes", count_bytes, nullptr),
    {},
};

}  // namespace mainspring
