// How a TlsProtocol carries data: received bytes go into the incoming BIO, what comes out of OpenSSL goes to the
// program's protocol; what the program writes is encrypted into the outgoing BIO and goes to the transport below.
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "python/buffer.hpp"
#include "system/cleanse.hpp"
#include "tls/tls_protocol.hpp"

namespace mainspring {

namespace {

constexpr const char* kFatal = "Fatal error on SSL protocol";

// asyncio.sslproto.SSLProtocol.max_size
constexpr size_t kMaxSize = 256 * 1024;

// Plaintext of at most this many waiting bytes is decrypted into a buffer and copied; more is decrypted into the bytes
// object itself, for which a record that was begun earlier needs room as well.
constexpr size_t kCopied = 8 * 1024;
constexpr size_t kRecord = 16 * 1024;

// By how much a record is longer than its plaintext, at least mostly: what does not fit takes the slower way.
constexpr size_t kRecordOverhead = 64;

}  // namespace

// A field that the program has deleted.
bool TlsProtocol::missing(const char* name) {
  PyErr_SetString(PyExc_AttributeError, name);
  return false;
}

bool TlsProtocol::call(PyObject* name) {
  const Ref result = Ref::steal(PyObject_CallMethodNoArgs(object(), name));
  return static_cast<bool>(result);
}

// What SSLProtocol's `except Exception as exc: self._fatal_error(exc, ...)` does.
bool TlsProtocol::fatal_error() {
  if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
  const Ref exception = take_exception();
  const Ref handled = Ref::steal(PyErr_GetHandledException());
  PyErr_SetHandledException(exception.get());
  const Ref result = Ref::steal(PyObject_CallMethod(object(), "_fatal_error", "Os", exception.get(), kFatal));
  PyErr_SetHandledException(handled.get());
  return static_cast<bool>(result);
}

// --- reading ---------------------------------------------------------------------------------------------------------

bool TlsProtocol::take(PyObject* self, const char* data, size_t size) {
  TlsProtocol* protocol = from(self);
  const Ref alive = Ref::borrow(self);
  const TlsState* tls = protocol->tls_;
  if (protocol->state == tls->wrapped.get()) [[likely]]
    return protocol->read(data, size);
  if (!protocol->receive(data, size)) return false;
  PyObject* state = protocol->state;
  Names& names = protocol->names();
  if (state == tls->do_handshake.get()) return protocol->call(names._do_handshake);
  if (state == tls->flushing.get()) return protocol->call(names._do_flush);
  if (state == tls->shutdown.get()) return protocol->call(names._do_shutdown);
  return true;
}

PyObject* TlsProtocol::on_handshake_complete(PyObject* self, PyObject* exception) {
  TlsProtocol* protocol = from(self);
  if (!protocol->ready()) return PyObject_CallMethod(self, "_python_on_handshake_complete", "O", exception);
  const Ref alive = Ref::borrow(self);
  Ref program;
  Ref wrapped;
  if (exception == Py_None && protocol->app_protocol) {
    const Ref state = Ref::steal(PyObject_GetAttr(self, protocol->names()._app_state));
    if (!state) return nullptr;
    // start_tls() calls no connection_made().
    if (state.get() == protocol->tls_->app_state_init.get()) {
      program = Ref::borrow(protocol->app_protocol);
      if (!protocol->loop_->state().stream_feed.prepare(protocol->loop_, program.get(), &wrapped)) return nullptr;
    }
  }
  Ref result = Ref::steal(PyObject_CallMethodOneArg(self, protocol->names()._python_on_handshake_complete, exception));
  if (wrapped) {
    protocol->loop_->state().stream_feed.finish(protocol->loop_, program.get(), std::move(wrapped));
  }
  return result.release();
}

// What SSLProtocol's `self._incoming.write(data)` does.
bool TlsProtocol::receive(const char* data, size_t size) {
  if (size == 0) return true;
  if (tls_->openssl.bio_write(pointers_.incoming, data, static_cast<int>(size)) == static_cast<int>(size)) return true;
  PyErr_NoMemory();
  return false;
}

PyObject* TlsProtocol::do_read(PyObject* self, PyObject*) {
  TlsProtocol* protocol = from(self);
  if (!protocol->ready()) return PyObject_CallMethod(self, "_python_do_read", nullptr);
  const Ref alive = Ref::borrow(self);
  return protocol->read(nullptr, 0) ? none() : nullptr;
}

// `received` has not been given to the incoming BIO yet.
bool TlsProtocol::read(const char* received, size_t size) {
  if (state != tls_->wrapped.get() && state != tls_->flushing.get()) return true;
  return read_records(received, size) || fatal_error();
}

bool TlsProtocol::read_records(const char* received, size_t size) {
  const bool reads = app_reading_paused != Py_True;
  const bool copies = reads && app_protocol_is_buffer != Py_True;
  // Only what has nothing before it can be read where it lies.
  if (size > 0 && (!copies || tls_->openssl.bio_pending(pointers_.incoming) > 0)) {
    if (!receive(received, size)) return false;
    size = 0;
  }
  if (reads) {
    bool ended = false;
    if (copies ? !read_copied(received, size, &ended) : !read_buffered(&ended)) return false;
    if (ended && !end_received()) return false;
    if (backlog_empty() ? !send_outgoing() : !call(names()._do_write)) return false;
  }
  return control_ssl_reading();
}

TlsProtocol::Step TlsProtocol::decrypt(char* target, size_t size, size_t* count) {
  // As in `_ssl`, the queue of errors is not cleared before: it is empty but for what others left to both.
  const int result = tls_->openssl.ssl_read(pointers_.ssl, target, size, count);
  if (result == 1) [[likely]]
    return Step::kData;
  const int error = tls_->openssl.ssl_error(pointers_.ssl, result);
  return error == openssl::kWantRead || error == openssl::kWantWrite ? Step::kAgain : Step::kUnusual;
}

// The same once more, by the ssl.SSLObject, which knows how to end and which exception to raise.
TlsProtocol::Step TlsProtocol::read_in_python(size_t size, Ref* data) {
  const Ref source = Ref::borrow(driven_);
  *data = Ref::steal(PyObject_CallMethod(source.get(), "read", "n", static_cast<Py_ssize_t>(size)));
  if (data->get()) {
    if (!PyBytes_Check(data->get())) {
      PyErr_SetString(PyExc_TypeError, "SSLObject.read() did not return bytes");
      return Step::kError;
    }
    return PyBytes_GET_SIZE(data->get()) > 0 ? Step::kData : Step::kEnd;
  }
  if (!PyErr_ExceptionMatches(tls_->again_errors.get())) return Step::kError;
  PyErr_Clear();
  return Step::kAgain;
}

// asyncio's own stream reader, when it is native and is what the data go to.
Ref TlsProtocol::find_stream() {
  ModuleState& module = loop_->state();
  return app_protocol ? module.stream_feed.find(module, app_protocol, &dict_size_) : Ref();
}

bool TlsProtocol::deliver(Ref data) {
  const Ref stream = find_stream();
  if (stream) return loop_->state().stream_feed.feed_bytes(stream.get(), std::move(data));
  if (!app_protocol) return missing("_app_protocol");
  PyObject* arguments[] = {nullptr, app_protocol, data.get()};
  const Ref protocol = Ref::borrow(app_protocol);
  const Ref result = Ref::steal(
      PyObject_VectorcallMethod(names().data_received, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  return static_cast<bool>(result);
}

bool TlsProtocol::Plaintext::keep() {
  if (object || size == 0) return true;
  object = Ref::steal(PyBytes_FromStringAndSize(data, static_cast<Py_ssize_t>(size)));
  return static_cast<bool>(object);
}

// Decrypts until OpenSSL has no more, or once the room is full: that of the scratch space, or of an object of at most
// `most` bytes. No Python runs here. False with an exception set.
bool TlsProtocol::decrypt_all(const char* received, size_t size, size_t most, Step* step, Plaintext* data) {
  const size_t waiting = size > 0 ? size : tls_->openssl.bio_pending(pointers_.incoming);
  PyObject* direct = nullptr;
  char* target = tls_->scratch;
  size_t room = sizeof tls_->scratch;
  if (waiting > kCopied) {
    room = std::min(waiting + kRecord, most);
    if (!(direct = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(room)))) return false;
    target = PyBytes_AS_STRING(direct);
  }
  size_t filled = 0;
  {
    std::optional<ReadingFrom> source;
    if (size > 0) source.emplace(tls_->bios, pointers_.ssl, pointers_.incoming, received, size);
    while (filled < room) {
      size_t count = 0;
      *step = decrypt(target + filled, room - filled, &count);
      if (*step != Step::kData) break;
      filled += count;
      // Mostly one record has come, and to ask OpenSSL for another would cost half as much as the record.
      const size_t left = source ? tls_->bios.source.size : tls_->openssl.bio_pending(pointers_.incoming);
      if (left == 0 && !tls_->openssl.ssl_has_pending(pointers_.ssl)) {
        *step = Step::kAgain;
        break;
      }
    }
  }
  *data = Plaintext{target, filled, Ref()};
  if (!direct) return true;
  if (filled == 0) {
    Py_DECREF(direct);
    return true;
  }
  if (_PyBytes_Resize(&direct, static_cast<Py_ssize_t>(filled)) < 0) return false;
  data->object = Ref::steal(direct);
  return true;
}

// The scratch space serves all connections and lives as long as the process: nobody's plaintext stays in it.
void TlsProtocol::cleanse(TlsState& tls, const Plaintext& data) {
  if (data.data == tls.scratch) system::cleanse(tls.scratch, data.size);
}

bool TlsProtocol::read_copied(const char* received, size_t size, bool* ended) {
  TlsState& tls = *tls_;
  const StreamFeed& feed = loop_->state().stream_feed;
  const Ref stream = find_stream();
  // A read that waits gets its bytes in an object of their own, and what comes after them is the next read's.
  const size_t at_once = stream ? feed.most(stream.get()) : 0;
  Ref chunks;  // a list, when one bytes object was not enough
  Ref last;
  Step step = Step::kData;
  while (step == Step::kData) {
    Plaintext data;
    const bool first = !last;
    const size_t most = first && at_once > kCopied ? at_once : std::numeric_limits<size_t>::max();
    if (!decrypt_all(received, size, most, &step, &data)) return false;
    if (first && stream && step == Step::kAgain && !data.object) [[likely]] {
      *ended = false;
      const bool fed = data.size == 0 || feed.feed(stream.get(), data.data, data.size);
      cleanse(tls, data);
      return fed;
    }
    const bool kept = data.keep();
    cleanse(tls, data);
    if (!kept) return false;
    // What was left of it is in the incoming BIO now.
    size = 0;
    while (true) {
      if (data.object) {
        if (last) {
          if (!chunks) chunks = Ref::steal(PyList_New(0));
          if (!chunks || PyList_Append(chunks.get(), last.get()) < 0) return false;
        }
        last = std::move(data.object);
      }
      if (step != Step::kUnusual) break;
      step = read_in_python(kMaxSize, &data.object);
      if (step == Step::kError) return false;
      if (step == Step::kEnd) data.object.reset();
    }
  }
  *ended = step == Step::kEnd;
  if (!last) return true;
  if (!chunks) [[likely]]
    return deliver(std::move(last));
  if (PyList_Append(chunks.get(), last.get()) < 0) return false;
  last.reset();
  if (stream) return deliver_each(chunks.get());
  const Ref nothing = Ref::steal(PyBytes_FromStringAndSize(nullptr, 0));
  Ref joined = nothing ? Ref::steal(PyObject_CallMethod(nothing.get(), "join", "O", chunks.get())) : Ref();
  return joined && deliver(std::move(joined));
}

// For a stream it is all the same whether bytes come at once or one after another within a turn.
bool TlsProtocol::deliver_each(PyObject* chunks) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(chunks); ++i) {
    if (!deliver(Ref::borrow(PyList_GET_ITEM(chunks, i)))) return false;
  }
  return true;
}

bool TlsProtocol::read_buffered(bool* ended) {
  const Ref get_buffer = Ref::borrow(app_protocol_get_buffer);
  const Ref updated = Ref::borrow(app_protocol_buffer_updated);
  if (!get_buffer || !updated) return missing("_app_protocol_get_buffer");
  const Ref hint = Ref::steal(PyLong_FromSize_t(tls_->openssl.bio_pending(pointers_.incoming)));
  const Ref target = hint ? Ref::steal(PyObject_CallOneArg(get_buffer.get(), hint.get())) : Ref();
  if (!target) return false;
  std::optional<Buffer> own;
  Buffer& buffer = own.emplace();
  const Py_buffer* view = PyMemoryView_Check(target.get()) ? PyMemoryView_GET_BUFFER(target.get()) : nullptr;
  if (!view || view->ndim != 1 || view->itemsize != 1 || view->len == 0 || view->readonly ||
      !buffer.get(target.get(), PyBUF_WRITABLE) || !ready()) {
    // What SSLProtocol does with other buffers follows from Python's slices.
    PyErr_Clear();
    const Ref result = Ref::steal(PyObject_CallMethod(object(), "_python_read_into", "O", target.get()));
    return static_cast<bool>(result);
  }
  Step step = Step::kData;
  size_t filled = 0;
  while (filled < buffer.size()) {
    size_t count = 0;
    step = decrypt(buffer.data() + filled, buffer.size() - filled, &count);
    if (step == Step::kUnusual) {
      Ref data;
      step = read_in_python(buffer.size() - filled, &data);
      if (step == Step::kError) return false;
      if (step == Step::kData) {
        count = static_cast<size_t>(PyBytes_GET_SIZE(data.get()));
        std::copy_n(PyBytes_AS_STRING(data.get()), count, buffer.data() + filled);
      }
    }
    if (step != Step::kData) break;
    filled += count;
  }
  const bool full = filled == buffer.size();
  // buffer_updated() may release its view.
  own.reset();
  if (full) {
    const Ref again = Ref::steal(PyObject_GetAttr(object(), names()._do_read));
    if (!again) return false;
    const Ref handle = Ref::steal(PyObject_CallMethodOneArg(loop_object_, names().call_soon, again.get()));
    if (!handle) return false;
  }
  if (filled > 0) {
    const Ref count = Ref::steal(PyLong_FromSize_t(filled));
    const Ref result = count ? Ref::steal(PyObject_CallOneArg(updated.get(), count.get())) : Ref();
    if (!result) return false;
  }
  *ended = step == Step::kEnd;
  return true;
}

bool TlsProtocol::end_received() { return call(names()._call_eof_received) && call(names()._start_shutdown); }

bool TlsProtocol::control_ssl_reading() {
  const auto size = static_cast<Py_ssize_t>(tls_->openssl.bio_pending(pointers_.incoming));
  const bool paused = ssl_reading_paused == Py_True;
  const bool crossed = paused ? size <= incoming_low.limit : size >= incoming_high.limit;
  return !crossed || call(names()._control_ssl_reading);
}

// --- writing ---------------------------------------------------------------------------------------------------------

bool TlsProtocol::is_plain(PyObject* data) {
  if (PyBytes_CheckExact(data) || PyByteArray_CheckExact(data)) [[likely]]
    return true;
  if (!PyMemoryView_Check(data)) return false;
  const Py_buffer* view = PyMemoryView_GET_BUFFER(data);
  return view->ndim == 1 && view->itemsize == 1 && PyBuffer_IsContiguous(view, 'C');
}

bool TlsProtocol::write_now(Arguments chunks, Py_ssize_t count) {
  const Ref alive = Ref::borrow(object());
  // The records go straight into the bytes object that is sent, unless others wait before them.
  const bool direct = ssl_writing_paused != Py_True && tls_->openssl.bio_pending(pointers_.outgoing) == 0;
  Ref records;
  size_t room = 0;
  char* start = tls_->scratch;
  if (direct) {
    for (Py_ssize_t i = 0; i < count; ++i) {
      const auto size = static_cast<size_t>(PyObject_Size(chunks[i]));
      room += size + (size / kRecord + 1) * kRecordOverhead;
    }
    if (room > kCopied) {
      records = Ref::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(room)));
      if (!records) return false;
      start = PyBytes_AS_STRING(records.get());
    }
  }
  Py_ssize_t done = 0;
  size_t written = 0;
  size_t size = 0;
  {
    std::optional<WritingTo> target;
    if (direct) target.emplace(tls_->bios, pointers_.ssl, pointers_.outgoing, start, room);
    while (done < count && encrypt(chunks[done], &written)) {
      ++done;
      written = 0;
    }
    if (direct) size = room - target->room_left();
  }
  if (direct && size > 0) {
    if (records) {
      PyObject* resized = records.release();
      if (_PyBytes_Resize(&resized, static_cast<Py_ssize_t>(size)) < 0) return false;
      records = Ref::steal(resized);
    } else {
      records = Ref::steal(PyBytes_FromStringAndSize(start, static_cast<Py_ssize_t>(size)));
      if (!records) return false;
    }
    if (!send(std::move(records))) return fatal_error();
    // The connection's own BIO is empty as long as there was room.
    if (done == count && size < room) return control_app_writing(0) || fatal_error();
  }
  if (done < count) return leave_to_python(chunks + done, count - done, written);
  return send_outgoing() || fatal_error();
}

// Encrypts one chunk; `written` counts what of it was. False, without an exception, when OpenSSL refuses the rest.
bool TlsProtocol::encrypt(PyObject* chunk, size_t* written) {
  Buffer buffer;
  if (!buffer.get(chunk, PyBUF_SIMPLE)) {
    PyErr_Clear();
    return false;
  }
  // One call encrypts one record.
  size_t count = 0;
  while (*written < buffer.size()) {
    if (tls_->openssl.ssl_write(pointers_.ssl, buffer.data() + *written, buffer.size() - *written, &count) != 1) {
      return false;
    }
    *written += count;
  }
  return true;
}

// OpenSSL has refused, be it for now: the rest goes into the backlog and SSLProtocol tries again.
bool TlsProtocol::leave_to_python(Arguments chunks, Py_ssize_t count, size_t written) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    const Ref rest = written == 0 ? Ref::borrow(chunks[i])
                                  : Ref::steal(PySequence_GetSlice(chunks[i], static_cast<Py_ssize_t>(written),
                                                                   std::numeric_limits<Py_ssize_t>::max()));
    written = 0;
    const Py_ssize_t size = rest ? PyObject_Size(rest.get()) : -1;
    if (size < 0) return false;
    const Ref result = Ref::steal(PyObject_CallMethod(write_backlog, "append", "O", rest.get()));
    if (!result) return false;
    write_buffer_size += size;
  }
  const Ref result = Ref::steal(PyObject_CallMethod(object(), "_write_appdata", "(())"));
  return static_cast<bool>(result);
}

PyObject* TlsProtocol::process_outgoing(PyObject* self, PyObject*) {
  TlsProtocol* protocol = from(self);
  if (!protocol->ready()) return PyObject_CallMethod(self, "_python_process_outgoing", nullptr);
  const Ref alive = Ref::borrow(self);
  return protocol->send_outgoing() ? none() : nullptr;
}

bool TlsProtocol::send(Ref records) {
  if (!transport) return missing("_transport");
  const ModuleState& module = loop_->state();
  const Ref below = Ref::borrow(transport);
  const Ref result = Ref::steal(Py_TYPE(below.get()) == module.socket_transport_type
                                    ? module.write_to_socket(below.get(), records.get())
                                    : PyObject_CallMethodOneArg(below.get(), names().write, records.get()));
  return static_cast<bool>(result);
}

bool TlsProtocol::send_outgoing() {
  if (ssl_writing_paused != Py_True) {
    const size_t waiting = tls_->openssl.bio_pending(pointers_.outgoing);
    const size_t size = std::min<size_t>(waiting, std::numeric_limits<int>::max());
    if (size > 0) {
      Ref records = Ref::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
      if (!records) return false;
      tls_->openssl.bio_read(pointers_.outgoing, PyBytes_AS_STRING(records.get()), static_cast<int>(size));
      return send(std::move(records)) && control_app_writing(waiting - size);
    }
    return control_app_writing(0);
  }
  return control_app_writing(tls_->openssl.bio_pending(pointers_.outgoing));
}

// `encrypted` is what waits in the outgoing BIO.
bool TlsProtocol::control_app_writing(size_t encrypted) {
  const auto size = static_cast<Py_ssize_t>(encrypted) + write_buffer_size;
  const bool paused = app_writing_paused == Py_True;
  const bool crossed = paused ? size <= outgoing_low.limit : size >= outgoing_high.limit;
  return !crossed || call(names()._control_app_writing);
}

}  // namespace mainspring
