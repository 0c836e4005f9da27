// StreamFeed: how a protocol of another room, such as that of TLS, gives what it has received to asyncio's streams
// without a Python call.
//
// The table lets rooms work together that do not include each other. It is part of the module's state, filled by the
// bindings of the room of streams, where each function is described (src/streams/stream_link.hpp).
#pragma once

#include <cstddef>

#include "python/ref.hpp"

namespace mainspring {

class Loop;
struct ModuleState;

struct StreamFeed {
  bool (*prepare)(Loop* loop, PyObject* protocol, Ref* wrapped) = nullptr;
  void (*finish)(Loop* loop, PyObject* protocol, Ref wrapped) = nullptr;
  Ref (*find)(ModuleState& module, PyObject* protocol, Py_ssize_t* dict_size) = nullptr;
  size_t (*most)(PyObject* reader) = nullptr;
  bool (*feed)(PyObject* reader, const char* data, size_t size) = nullptr;
  bool (*feed_bytes)(PyObject* reader, Ref data) = nullptr;
};

}  // namespace mainspring
