// TlsProtocol: the native half of mainspring's subclass of asyncio.sslproto.SSLProtocol. It carries data through an
// established TLS connection; handshake, shutdown, timeouts and errors are the standard library's own code.
//
// A plain struct behind a Python object, whose Python subclass also inherits from SSLProtocol. The fields that both
// halves use are attributes of the object under SSLProtocol's names. drive() looks for the SSL* inside the
// ssl.SSLObject; as long as it is not found, or the program has put another object in its place, the methods here call
// SSLProtocol's.
//
// What does not go well is done again in Python: OpenSSL stays in its error state, so that `_ssl` meets the same error
// and raises the exception that it always raises.
#pragma once

#include "loop/loop.hpp"
#include "tls/tls_state.hpp"

namespace mainspring {

struct TlsProtocol {
  // A water mark: the number as Python set it, and the limit that it means here. What is no int leaves the limit at
  // the value with which the comparison is always left to Python.
  struct Mark {
    PyObject* value;
    Py_ssize_t limit;
  };

  PyObject_HEAD PyObject* state;
  PyObject* app_protocol;
  PyObject* app_protocol_is_buffer;
  PyObject* app_protocol_get_buffer;
  PyObject* app_protocol_buffer_updated;
  PyObject* transport;
  PyObject* app_reading_paused;
  PyObject* ssl_writing_paused;
  PyObject* app_writing_paused;
  PyObject* ssl_reading_paused;
  PyObject* write_backlog;
  PyObject* sslobj;
  Py_ssize_t write_buffer_size;
  Mark outgoing_high;
  Mark outgoing_low;
  Mark incoming_high;
  Mark incoming_low;

  // Set by drive().
  TlsState* tls_;
  Loop* loop_;
  PyObject* loop_object_;
  PyObject* driven_;  // the ssl.SSLObject that the pointers belong to
  PyObject* raw_;     // keeps them alive
  TlsState::Pointers pointers_;
  Py_ssize_t dict_size_;  // for StreamFeed's find()

  static TlsProtocol* from(PyObject* self) { return reinterpret_cast<TlsProtocol*>(self); }
  // Whether this is an instance of the native type or of a direct subclass.
  static bool check(PyObject* object);
  PyObject* object() { return reinterpret_cast<PyObject*>(this); }

  // Finds the SSL* of a protocol that its __init__ has set up; whether it was found. -1 with an exception set.
  static int drive(Loop* loop, PyObject* self);
  bool ready() const { return tls_ && sslobj == driven_ && !loop_->closed; }

  // For ByteSink.
  static bool is_ready(PyObject* self) { return from(self)->ready(); }
  static bool take(PyObject* self, const char* data, size_t size);

  // Whether write_now() may be called: the connection is established and nothing waits before the data.
  bool can_write_now() const { return ready() && state == tls_->wrapped.get() && backlog_empty(); }
  // Whether these data are such that their bytes and their len() are the same thing.
  static bool is_plain(PyObject* data);
  // Encrypts and sends chunks that are plain and not empty. False with an exception set.
  bool write_now(Arguments chunks, Py_ssize_t count);

  static PyObject* do_read(PyObject* self, PyObject*);
  static PyObject* process_outgoing(PyObject* self, PyObject*);
  // With asyncio's streams made native on the way, where they are the program's protocol.
  static PyObject* on_handshake_complete(PyObject* self, PyObject* exception);
  static PyObject* get_app_protocol(PyObject* self, void*);
  static int set_app_protocol(PyObject* self, PyObject* value, void*);
  static PyObject* get_mark(PyObject* self, void* which);
  static int set_mark(PyObject* self, PyObject* value, void* which);
  static int traverse(PyObject* self, visitproc visit, void* arg);
  static int clear(PyObject* self);
  static void dealloc(PyObject* self);

 private:
  enum class Step { kData, kAgain, kEnd, kUnusual, kError };

  // Decrypted bytes: in a bytes object, or in the scratch space of TlsState until cleanse().
  struct Plaintext {
    const char* data = nullptr;
    size_t size = 0;
    Ref object;

    // Moves them into an object. False with MemoryError set.
    bool keep();
  };

  bool backlog_empty() const { return write_backlog && PyObject_Size(write_backlog) == 0; }
  Names& names() { return loop_->names(); }
  bool read(const char* received, size_t size);
  bool read_records(const char* received, size_t size);
  bool read_copied(const char* received, size_t size, bool* ended);
  bool decrypt_all(const char* received, size_t size, size_t most, Step* step, Plaintext* data);
  static void cleanse(TlsState& tls, const Plaintext& data);
  bool receive(const char* data, size_t size);
  bool read_buffered(bool* ended);
  Ref find_stream();
  bool deliver(Ref data);
  bool deliver_each(PyObject* chunks);
  bool end_received();
  Step decrypt(char* target, size_t size, size_t* count);
  Step read_in_python(size_t size, Ref* data);
  bool send_outgoing();
  bool send(Ref records);
  bool control_app_writing(size_t encrypted);
  bool control_ssl_reading();
  bool leave_to_python(Arguments chunks, Py_ssize_t count, size_t written);
  bool encrypt(PyObject* chunk, size_t* written);
  bool fatal_error();
  bool call(PyObject* name);
  static bool missing(const char* name);
};

}  // namespace mainspring
