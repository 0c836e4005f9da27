#include "streams/native_reader.hpp"

#include "python/buffer.hpp"
#include "streams/reader_state.hpp"
#include "streams/stream_operation.hpp"

namespace mainspring {

namespace {

bool no_arguments(Py_ssize_t count, PyObject* keywords) { return count == 0 && !keywords; }

// The value of an int that is not negative; -1 for everything else. Leaves no exception set.
Py_ssize_t count_of(PyObject* number) {
  if (!number || !PyLong_CheckExact(number)) return -1;
  const Py_ssize_t value = PyLong_AsSsize_t(number);
  if (value == -1) PyErr_Clear();
  return value;
}

PyObject* operate(StreamClasses* classes, PyObject* self, StreamOperation::Kind kind, Py_ssize_t size = 0,
                  PyObject* separator = nullptr) {
  ReaderState* state = ReaderState::of(self);
  return state ? StreamOperation::make(classes, kind, self, state, size, separator) : nullptr;
}

}  // namespace

PyObject* call_base(PyObject* self, PyObject* name, Arguments args, Py_ssize_t count, PyObject* keywords) {
  const Ref super = Ref::steal(PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PySuper_Type),
                                                            reinterpret_cast<PyObject*>(Py_TYPE(self)), self, nullptr));
  const Ref method = super ? Ref::steal(PyObject_GetAttr(super.get(), name)) : Ref();
  return method ? PyObject_Vectorcall(method.get(), args, static_cast<size_t>(count), keywords) : nullptr;
}

PyObject* only_argument(Arguments args, Py_ssize_t count, PyObject* keywords, PyObject* name) {
  if (!keywords) return count == 1 ? args[0] : nullptr;
  if (count != 0 || PyTuple_GET_SIZE(keywords) != 1) return nullptr;
  return PyUnicode_Compare(PyTuple_GET_ITEM(keywords, 0), name) == 0 ? args[0] : nullptr;
}

// Where a method of the class was replaced, or the arguments are not the usual ones, asyncio's own runs, with its own
// errors. That includes read(-1), which reads piece by piece.

PyObject* NativeReader::read(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  StreamClasses* classes = StreamClasses::of(self);
  Names& names = classes->names();
  const Py_ssize_t size = count_of(only_argument(args, count, keywords, names.n));
  if (size < 0 || !classes->reader.intact()) return call_base(self, names.read, args, count, keywords);
  return operate(classes, self, StreamOperation::kRead, size);
}

PyObject* NativeReader::readline(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  StreamClasses* classes = StreamClasses::of(self);
  if (!no_arguments(count, keywords) || !classes->reader.intact()) {
    return call_base(self, classes->names().readline, args, count, keywords);
  }
  return operate(classes, self, StreamOperation::kReadLine);
}

PyObject* NativeReader::readexactly(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  StreamClasses* classes = StreamClasses::of(self);
  Names& names = classes->names();
  const Py_ssize_t size = count_of(only_argument(args, count, keywords, names.n));
  if (size < 0 || !classes->reader.intact()) return call_base(self, names.readexactly, args, count, keywords);
  return operate(classes, self, StreamOperation::kReadExactly, size);
}

PyObject* NativeReader::readuntil(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  StreamClasses* classes = StreamClasses::of(self);
  Names& names = classes->names();
  PyObject* separator = only_argument(args, count, keywords, names.separator);
  const bool usual =
      separator ? PyBytes_CheckExact(separator) && PyBytes_GET_SIZE(separator) > 0 : no_arguments(count, keywords);
  if (!usual || !classes->reader.intact()) return call_base(self, names.readuntil, args, count, keywords);
  return operate(classes, self, StreamOperation::kReadUntil, 0, separator);
}

PyObject* NativeReader::anext(PyObject* self) {
  StreamClasses* classes = StreamClasses::of(self);
  if (!classes->reader.intact()) {
    const Ref name = Ref::steal(PyUnicode_InternFromString("__anext__"));
    return name ? call_base(self, name.get(), nullptr, 0, nullptr) : nullptr;
  }
  return operate(classes, self, StreamOperation::kNext);
}

PyObject* NativeReader::feed_data(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  StreamClasses* classes = StreamClasses::of(self);
  PyObject* data = count == 1 && !keywords ? args[0] : nullptr;
  const Ref owned = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  if (!owned) return nullptr;
  auto* state = reinterpret_cast<ReaderState*>(owned.get());
  if (!data || !PyBytes_CheckExact(data) || !classes->reader.intact() || state->eof || state->limit_value < 0 ||
      !state->buffer.usable()) {
    return call_base(self, classes->names().feed_data, args, count, keywords);
  }
  if (PyBytes_GET_SIZE(data) == 0) return none();
  // Sockets do not come this way, so it may be the ssl module that has decrypted this.
  state->buffer.cleanse();
  return state->feed(PyBytes_AS_STRING(data), static_cast<size_t>(PyBytes_GET_SIZE(data))) ? none() : nullptr;
}

PyObject* NativeReader::at_eof(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  StreamClasses* classes = StreamClasses::of(self);
  const Ref owned = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::of(self)));
  if (!owned) return nullptr;
  auto* state = reinterpret_cast<ReaderState*>(owned.get());
  if (!no_arguments(count, keywords) || !classes->reader.intact() || !state->buffer.usable()) {
    return call_base(self, classes->names().at_eof, args, count, keywords);
  }
  return PyBool_FromLong(state->eof && state->buffer.empty());
}

}  // namespace mainspring
