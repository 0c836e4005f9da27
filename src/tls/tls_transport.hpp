// The native methods of the TLS transport, a Python class that inherits from asyncio's own (python/mainspring/_tls.py).
//
// They write where the connection can take data at once, and leave everything else to asyncio's method, which the class
// keeps under the name _python_write or _python_writelines.
#pragma once

#include "python/native.hpp"
#include "tls/tls_protocol.hpp"

namespace mainspring {

struct TlsTransport {
  static PyObject* write(Names& names, PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);
  static PyObject* writelines(Names& names, PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords);

  // For TlsTransports: `self` is of the class itself, and the TlsState has been made.
  static bool is_open(ModuleState& module, PyObject* self);
  static PyObject* write_from_stream(ModuleState& module, PyObject* self, PyObject* data);
};

}  // namespace mainspring
