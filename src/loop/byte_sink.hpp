// ByteSink: how a stream transport hands received bytes to a protocol that is native, without a Python call.
//
// The table lets rooms work together that do not include each other. It is part of the module's state, filled by the
// bindings of the room that has such a protocol.
#pragma once

#include <cstddef>

#include "python/ref.hpp"

namespace mainspring {

struct ByteSink {
  PyTypeObject* type = nullptr;
  // Whether it takes bytes now; otherwise get_buffer() and buffer_updated() have to be called.
  bool (*ready)(PyObject* protocol) = nullptr;
  // What buffer_updated() does. False with an exception set. The bytes may be overwritten on the way.
  bool (*take)(PyObject* protocol, const char* data, size_t size) = nullptr;
};

}  // namespace mainspring
