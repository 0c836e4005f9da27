#include "streams/stream_link.hpp"

#include "streams/native_writer.hpp"
#include "streams/reader_state.hpp"

namespace mainspring {

namespace {

// The object of a weak reference; an empty Ref when it is gone or `reference` is none.
Ref object_of(PyObject* reference) {
  if (!reference || !PyWeakref_CheckRef(reference)) return Ref();
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* object = nullptr;
  PyWeakref_GetRef(reference, &object);
  return Ref::steal(object);
#else
  PyObject* object = PyWeakref_GetObject(reference);
  return object == Py_None ? Ref() : Ref::borrow(object);
#endif
}

// Whether a dict that had `size` entries holds no `name`; updates the size.
bool lacks(PyObject* dict, PyObject* name, Py_ssize_t* size) {
  if (PyDict_GET_SIZE(dict) == *size) [[likely]]
    return true;
  if (PyDict_Contains(dict, name) != 0) return false;
  *size = PyDict_GET_SIZE(dict);
  return true;
}

}  // namespace

PyObject* StreamLink::connect(Transport* transport) {
  ModuleState& module = transport->loop_->state();
  StreamClasses* classes = module.stream_classes;
  Names& names = module.names;
  const Ref protocol = Ref::borrow(transport->protocol_);
  Ref dict;
  Ref callback;
  if (transport->loop_->native_streams && !transport->loop_->debug &&
      Py_TYPE(protocol.get()) == classes->protocol.type() && classes->protocol.intact() && classes->reader.intact()) {
    dict = Ref::steal(PyObject_GenericGetDict(protocol.get(), nullptr));
    if (!dict) return nullptr;
    const Ref reader = object_of(PyDict_GetItemWithError(dict.get(), names._stream_reader_wr));
    if (reader && Py_TYPE(reader.get()) == classes->reader.type()) {
      const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::adopt(classes, reader.get())));
      if (!state && PyErr_Occurred()) return nullptr;
      if (state) {
        protocol_ = protocol.get();
        dict_size_ = -1;
        callback = wrap_connected_callback(classes, dict.get());
        if (!callback) {
          if (PyErr_Occurred()) return nullptr;
          transport->loop_->expect_stream_writer();
        }
      }
    }
  }
  Ref result = Ref::steal(PyObject_CallMethodOneArg(protocol.get(), names.connection_made, transport->object()));
  if (callback) {
    const SavedException saved;
    unwrap_connected_callback(classes, dict.get(), callback.get());
  }
  return result.release();
}

Ref StreamLink::find(ModuleState& module) {
  StreamClasses* classes = module.stream_classes;
  Names& names = module.names;
  if (!classes->protocol.intact() || !classes->reader.intact() || Py_TYPE(protocol_) != classes->protocol.type()) {
    return Ref();
  }
  const Ref dict = Ref::steal(PyObject_GenericGetDict(protocol_, nullptr));
  if (dict && lacks(dict.get(), names.data_received, &dict_size_)) {
    const Ref reader = object_of(PyDict_GetItemWithError(dict.get(), names._stream_reader_wr));
    if (reader && Py_TYPE(reader.get()) == classes->native_reader) {
      const Ref fields = Ref::steal(PyObject_GenericGetDict(reader.get(), nullptr));
      PyObject* found = fields ? PyDict_GetItemWithError(fields.get(), names._native_stream) : nullptr;
      if (found && Py_TYPE(found) == classes->reader_state) {
        auto* state = reinterpret_cast<ReaderState*>(found);
        if (lacks(fields.get(), names.feed_data, &state->dict_size) && !state->eof && state->limit_value >= 0 &&
            state->buffer.usable()) {
          return Ref::borrow(found);
        }
      }
    }
  }
  PyErr_Clear();
  return Ref();
}

}  // namespace mainspring
