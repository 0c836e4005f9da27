// What transports and acceptors have in common for the Loop: a Python object that libuv's events reach.
//
// A plain struct, because it follows PyObject_HEAD in the objects that embed it. The Loop keeps each held one on a
// list and holds one reference to its `object`; the object itself decides when (Loop::hold, Loop::release).
#pragma once

#include "loop/counters.hpp"
#include "python/ref.hpp"
#include "uv/poller.hpp"

namespace mainspring {

struct IoObject;

// The behaviour of a kind of I/O object; one constant table for each kind. What a kind never needs may be nullptr.
struct IoKind {
  // A step that was deferred to the ready queue. -1 with an exception set only for what leaves the loop.
  int (*run_step)(IoObject* io);
  // Sends what was written during the turn. As above.
  int (*flush)(IoObject* io);
  // The loop closes: let go of the Poller. Nothing may be called back.
  void (*loop_closes)(IoObject* io);

  // For transports only: starts to receive, as above.
  int (*begin)(IoObject* io);
  // Closes the descriptor, once, and tells whoever has to know. Never fails.
  void (*close_descriptor)(IoObject* io);
  // get_extra_info() of what is not known yet: a new reference, or nullptr, with an exception set or without.
  PyObject* (*find_info)(IoObject* io, PyObject* name);
  // Calls protocol.connection_made() in another way than that; a new reference.
  PyObject* (*connect)(IoObject* io) = nullptr;
};

struct IoObject {
  PyObject* object;
  const IoKind* kind;
  uv::Poller* poller;
  IoObject* previous;
  IoObject* next;
  bool held;
  bool flush_pending;
  OpenKind open_kind;  // what it counts as
};

}  // namespace mainspring
