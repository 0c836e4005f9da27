// StreamLink: how a transport finds the native stream reader behind its protocol. Part of a transport.
//
// It keeps no reference: each time it goes the way that asyncio.StreamReaderProtocol.data_received() goes, from the
// protocol through its weak reference to the reader, and gives up when anything on it is not the standard library's
// own, down to a method set on one instance. Then the protocol is called as any other.
#pragma once

#include "loop/transport.hpp"

namespace mainspring {

class StreamLink {
 public:
  // Calls protocol.connection_made(transport); where the protocol is asyncio's own for streams, the reader and, on
  // servers, the writer are made native meanwhile. A new reference, nullptr with an exception set.
  PyObject* connect(Transport* transport);

  // The protocol that was connected (borrowed, only to compare); nullptr when its streams are not native.
  PyObject* protocol() const { return protocol_; }

  // The ReaderState to feed, an empty Ref when the protocol has to be called. No exception is left set.
  Ref find(ModuleState& module);

 private:
  PyObject* protocol_ = nullptr;
  Py_ssize_t dict_size_ = 0;  // of the protocol's dict, when it was seen to hold no data_received()
};

}  // namespace mainspring
