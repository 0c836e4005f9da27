// TlsTransports: how asyncio's stream writer, when it is native, uses a TLS transport without a Python call.
//
// The counterpart of StreamFeed, filled by the bindings of the room of TLS.
#pragma once

#include "python/ref.hpp"

namespace mainspring {

struct ModuleState;

struct TlsTransports {
  // The class; nullptr before the first TLS connection.
  PyTypeObject* type = nullptr;
  // Whether is_closing() is False. False also when the program has put a method of its own into its place.
  bool (*is_open)(ModuleState& module, PyObject* transport) = nullptr;
  // What write() does; a new reference.
  PyObject* (*write)(ModuleState& module, PyObject* transport, PyObject* data) = nullptr;
};

}  // namespace mainspring
