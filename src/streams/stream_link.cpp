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

bool prepare_streams(Loop* loop, PyObject* protocol, Ref* wrapped) {
  StreamClasses* classes = loop->state().stream_classes;
  if (!loop->native_streams || loop->debug || Py_TYPE(protocol) != classes->protocol.type() ||
      !classes->protocol.intact() || !classes->reader.intact()) {
    return true;
  }
  const Ref dict = Ref::steal(PyObject_GenericGetDict(protocol, nullptr));
  if (!dict) return false;
  const Ref reader = object_of(PyDict_GetItemWithError(dict.get(), classes->names()._stream_reader_wr));
  if (!reader || Py_TYPE(reader.get()) != classes->reader.type()) return true;
  const Ref state = Ref::steal(reinterpret_cast<PyObject*>(ReaderState::adopt(classes, reader.get())));
  if (!state) return !PyErr_Occurred();
  *wrapped = wrap_connected_callback(classes, dict.get());
  if (*wrapped) return true;
  if (PyErr_Occurred()) return false;
  loop->expect_stream_writer();
  *wrapped = Ref::borrow(Py_None);
  return true;
}

void finish_streams(Loop* loop, PyObject* protocol, Ref wrapped) {
  if (!wrapped || wrapped.get() == Py_None) return;
  const SavedException saved;
  const Ref dict = Ref::steal(PyObject_GenericGetDict(protocol, nullptr));
  if (dict) unwrap_connected_callback(loop->state().stream_classes, dict.get(), wrapped.get());
  PyErr_Clear();
}

PyObject* StreamLink::connect(Transport* transport) {
  const Ref protocol = Ref::borrow(transport->protocol_);
  Ref wrapped;
  if (!prepare_streams(transport->loop_, protocol.get(), &wrapped)) return nullptr;
  if (wrapped) {
    protocol_ = protocol.get();
    dict_size_ = -1;
  }
  Ref result =
      Ref::steal(PyObject_CallMethodOneArg(protocol.get(), transport->names().connection_made, transport->object()));
  finish_streams(transport->loop_, protocol.get(), std::move(wrapped));
  return result.release();
}

Ref find_stream(ModuleState& module, PyObject* protocol, Py_ssize_t* dict_size) {
  StreamClasses* classes = module.stream_classes;
  Names& names = module.names;
  if (Py_TYPE(protocol) != classes->protocol.type() || !classes->protocol.intact() || !classes->reader.intact()) {
    return Ref();
  }
  const Ref dict = Ref::steal(PyObject_GenericGetDict(protocol, nullptr));
  if (dict && lacks(dict.get(), names.data_received, dict_size)) {
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
