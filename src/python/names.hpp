// The strings by which native code looks up attributes, interned once per interpreter. What it looks up by a string
// made for the purpose would stay in the interpreter's cache of attributes, once for each address that the string has
// had.
#pragma once

#include "python/ref.hpp"

namespace mainspring {

// clang-format off
#define MAINSPRING_NAMES(X) \
  X(context) X(loop) X(name) X(message) X(exception) X(transport) X(protocol) X(close) X(_io_refs) \
  X(_decref_socketios) X(data_received) X(eof_received) X(connection_made) X(connection_lost) X(get_buffer) \
  X(buffer_updated) X(pause_writing) X(resume_writing) X(_attach) X(_detach) X(set_result) X(set_exception) \
  X(done) X(time) X(call_exception_handler) X(socket) X(sockname) X(peername) X(slow_callback_duration) \
  X(_check_thread) X(_check_callback) X(_report_callback_error) X(_report_slow) X(_handle_signal) \
  X(_call_connection_lost) X(_report_accept_error) X(_wrap_socket) X(pipe) X(Future) X(Task) \
  X(datagram_received) X(error_received) X(_native_stream) X(_limit) X(_loop) X(_buffer) X(_eof) X(_waiter) \
  X(_exception) X(_transport) X(_paused) X(_reader) X(_protocol) X(_connection_lost) X(_stream_reader_wr) \
  X(_client_connected_cb) X(pause_reading) X(resume_reading) X(is_closing) X(cancelled) X(create_future) \
  X(read) X(readline) X(readexactly) X(readuntil) X(feed_data) X(at_eof) X(drain) X(write) X(n) X(separator) \
  X(run) X(_read_ready) X(_sendto_ready) X(cancel) X(submit) X(_convert_future_exc) \
  X(_work_queue) X(_threads) X(_max_workers) X(_shutdown) \
  X(call_soon) X(_ssl_protocol) X(_python_write) X(_python_writelines) \
  X(_do_handshake) X(_do_flush) X(_do_shutdown) X(_do_write) X(_do_read) X(_call_eof_received) X(_start_shutdown) \
  X(_control_app_writing) X(_control_ssl_reading) X(_closed) X(_app_state) X(_on_handshake_complete) X(_accept_tls) X(_wakeup_waiter) \
  X(_python_on_handshake_complete) X(_sslobj) X(_incoming) X(_outgoing) X(_msg_callback) X(keylog_filename) \
  X(_make_socket) X(_deliver_held) X(fileno) X(__class__) X(__anext__)
// clang-format on

struct Names {
#define X(identifier) PyObject* identifier = nullptr;
  MAINSPRING_NAMES(X)
#undef X

  // False with an exception set when memory ran out.
  bool intern() {
#define X(identifier) \
  if (!(identifier = PyUnicode_InternFromString(#identifier))) return false;
    MAINSPRING_NAMES(X)
#undef X
    return true;
  }
};

}  // namespace mainspring
