// What one import of the extension module keeps: its types, interned names and the stdlib objects that hot paths call.
//
// Made by the module's init function, once per interpreter; never shared between interpreters. Each Loop holds the
// module, so the state outlives every object that uses it.
#pragma once

#include "loop/byte_sink.hpp"
#include "loop/stream_feed.hpp"
#include "loop/time_module.hpp"
#include "loop/tls_transports.hpp"
#include "python/arguments.hpp"
#include "python/names.hpp"
#include "python/ref.hpp"

namespace mainspring {

class NumericAnswers;
struct StreamClasses;
struct TlsState;

struct ModuleState {
  Names names;
  ContextKeyword context_keyword;
  bool context_layout_is_known = false;
  TimeModule time;
  PyObject* module = nullptr;  // borrowed: the module owns the state
  PyTypeObject* handle_type = nullptr;
  PyTypeObject* timer_handle_type = nullptr;
  PyTypeObject* socket_transport_type = nullptr;
  PyTypeObject* acceptor_type = nullptr;
  PyTypeObject* pipe_reader_type = nullptr;
  PyTypeObject* pipe_writer_type = nullptr;
  PyTypeObject* datagram_transport_type = nullptr;
  PyTypeObject* socket_operation_type = nullptr;
  PyTypeObject* work_queue_type = nullptr;

  // How the rooms of streams and of TLS reach each other.
  ByteSink byte_sink;
  StreamFeed stream_feed;
  TlsTransports tls_transports;
  PyObject* (*write_to_socket)(PyObject* socket_transport, PyObject* data) = nullptr;
  TlsState* tls = nullptr;  // made with the first TLS connection

  // asyncio's own objects.
  PyObject* asyncio_handle = nullptr;
  PyObject* asyncio_timer_handle = nullptr;
  PyObject* asyncio_thread_safe_handle = nullptr;  // nullptr before Python 3.14
  PyObject* asyncio_tasks = nullptr;               // the modules' dicts: what a program patches there is seen
  PyObject* asyncio_futures = nullptr;
  PyObject* base_create_task = nullptr;
  PyObject* default_loop = nullptr;  // the class of the default loop
  PyObject* base_run_in_executor = nullptr;
  PyObject* buffered_protocol = nullptr;
  PyObject* future_keywords = nullptr;  // ("loop",)
  PyObject* native_future = nullptr;    // asyncio's classes in C; nullptr where it has none
  PyObject* native_task = nullptr;
  bool attach_takes_transport = false;
  size_t datagram_header = 0;  // what a waiting datagram counts beside its bytes

  StreamClasses* stream_classes = nullptr;  // owned; what the streams room keeps

  NumericAnswers* numeric_answers = nullptr;  // owned; what the names room keeps

  // socket.socket, and what its methods and attributes are as long as nobody replaces them.
  PyTypeObject* socket_type = nullptr;
  unsigned socket_type_version = 0;  // tp_version_tag when they were last found to be as they were
  PyObject* socket_methods = nullptr;
  PyObject* socket_fileno = nullptr;
  PyObject* socket_gettimeout = nullptr;
  PyObject* socket_family = nullptr;
  PyObject* socket_kind = nullptr;
  PyObject* socket_protocol = nullptr;

  // Of mainspring._executor, which is imported with the first default executor; nullptr before.
  PyTypeObject* thread_pool = nullptr;  // concurrent.futures.ThreadPoolExecutor
  PyObject* thread_pool_submit = nullptr;
  PyObject* thread_pool_module = nullptr;  // the module's dict
  PyObject* make_pool = nullptr;
  PyObject* add_call = nullptr;

  bool main_interpreter = false;

  PyTypeObject* watch_type = nullptr;
};

}  // namespace mainspring
