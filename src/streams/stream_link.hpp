// StreamLink: how a transport finds the native stream reader behind its protocol. Part of a transport.
//
// It keeps no reference: each time it goes the way that asyncio.StreamReaderProtocol.data_received() goes, from the
// protocol through its weak reference to the reader, and gives up when anything on it is not the standard library's
// own, down to a method set on one instance. Then the protocol is called as any other.
//
// The functions are the ways to do the same for transports of other rooms, see StreamFeed.
#pragma once

#include "loop/transport.hpp"

namespace mainspring {

// To be called before protocol.connection_made(). Where the protocol is asyncio's own for streams, its reader is made
// native, and the writer will be. `wrapped` is for finish_streams(), which has to be called afterwards; it is empty
// when the streams stay as they are. False with an exception set.
bool prepare_streams(Loop* loop, PyObject* protocol, Ref* wrapped);
void finish_streams(Loop* loop, PyObject* protocol, Ref wrapped);

// The ReaderState behind a protocol that is asyncio's own for streams; an empty Ref when the protocol has to be called.
// `dict_size` is the size of the protocol's dict when it was last seen to hold no data_received(), at first -1. No
// exception is left set.
Ref find_stream(ModuleState& module, PyObject* protocol, Py_ssize_t* dict_size);

class StreamLink {
 public:
  // Calls protocol.connection_made(transport) with its streams prepared. A new reference, nullptr with an exception
  // set.
  PyObject* connect(Transport* transport);

  // The protocol that was connected (borrowed, only to compare); nullptr when its streams are not native.
  PyObject* protocol() const { return protocol_; }

  // The ReaderState to feed.
  Ref find(ModuleState& module) { return find_stream(module, protocol_, &dict_size_); }

 private:
  PyObject* protocol_ = nullptr;
  Py_ssize_t dict_size_ = -1;
};

}  // namespace mainspring
