// What one import of the extension module keeps: its types, interned names and the stdlib objects that hot paths call.
//
// Made by the module's init function, once per interpreter; never shared between interpreters. Each Loop holds the
// module, so the state outlives every object that uses it.
#pragma once

#include "loop/byte_sink.hpp"
#include "python/names.hpp"
#include "python/ref.hpp"

namespace mainspring {

struct TlsState;

struct ModuleState {
  Names names;
  PyObject* module = nullptr;  // borrowed: the module owns the state
  PyTypeObject* handle_type = nullptr;
  PyTypeObject* timer_handle_type = nullptr;
  PyTypeObject* socket_transport_type = nullptr;
  PyTypeObject* acceptor_type = nullptr;
  PyTypeObject* pipe_reader_type = nullptr;
  PyTypeObject* pipe_writer_type = nullptr;
  PyTypeObject* datagram_transport_type = nullptr;

  // How the rooms of streams and of TLS reach each other.
  ByteSink byte_sink;
  PyObject* (*write_to_socket)(PyObject* socket_transport, PyObject* data) = nullptr;
  TlsState* tls = nullptr;  // made with the first TLS connection

  // asyncio's own objects.
  PyObject* asyncio_handle = nullptr;
  PyObject* asyncio_timer_handle = nullptr;
  PyObject* asyncio_thread_safe_handle = nullptr;  // nullptr before Python 3.14
  PyObject* asyncio_tasks = nullptr;               // the modules' dicts: what a program patches there is seen
  PyObject* asyncio_futures = nullptr;
  PyObject* base_create_task = nullptr;
  PyObject* buffered_protocol = nullptr;
  PyObject* future_keywords = nullptr;  // ("loop",)
  bool attach_takes_transport = false;

  bool main_interpreter = false;
};

}  // namespace mainspring
