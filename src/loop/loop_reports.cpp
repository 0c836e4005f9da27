// What the loop tells the program: exceptions of callbacks, slow callbacks.
#include "loop/clock.hpp"
#include "loop/loop.hpp"

namespace mainspring {

int Loop::report_slow(PyObject* what, int64_t started) {
  const double duration = seconds(duration_clock() - started);
  const Ref limit = Ref::steal(PyObject_GetAttr(self_, names().slow_callback_duration));
  if (!limit) return -1;
  const double longest = PyFloat_AsDouble(limit.get());
  if (longest == -1.0 && PyErr_Occurred()) return -1;
  if (duration < longest) return 0;
  leave_context();
  const Ref taken = Ref::steal(PyFloat_FromDouble(duration));
  if (!taken) return -1;
  const Ref result = Ref::steal(PyObject_CallMethodObjArgs(self_, names()._report_slow, what, taken.get(), nullptr));
  return result ? 0 : -1;
}

int Loop::report_callback_error(Handle* handle) {
  if (leaves_the_loop()) return -1;
  Ref exception = take_exception();
  // The exception handler may run in this very context (BaseEventLoop.call_exception_handler).
  leave_context();
  const HandledException handled(exception.get());
  const Ref result = Ref::steal(PyObject_CallMethodObjArgs(
      self_, names()._report_callback_error, reinterpret_cast<PyObject*>(handle), exception.get(), nullptr));
  return result ? 0 : -1;
}

Handle* Loop::make_call(PyObject* owner, PyObject* method, PyObject* argument, PyObject* context) {
  const Ref callback = Ref::steal(PyObject_GetAttr(owner, method));
  return callback ? make_handle(callback.get(), &argument, argument ? 1 : 0, context) : nullptr;
}

int Loop::report_call(PyObject* owner, PyObject* method, PyObject* argument, PyObject* context, bool cancelled) {
  Ref handle;
  {
    const SavedException saved;
    handle = Ref::steal(reinterpret_cast<PyObject*>(make_call(owner, method, argument, context)));
    if (handle && cancelled && !Ref::steal(Handle::cancel(handle.get(), nullptr))) handle = Ref();
    // There is no such method, which is the exception to report.
    if (!handle) PyErr_Clear();
  }
  if (!handle) return report("Exception in callback", nullptr, nullptr);
  return report_callback_error(reinterpret_cast<Handle*>(handle.get()));
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
  const HandledException handled(exception);
  const Ref result = Ref::steal(PyObject_CallMethodOneArg(self_, names().call_exception_handler, details.get()));
  return result ? 0 : -1;
}

}  // namespace mainspring
