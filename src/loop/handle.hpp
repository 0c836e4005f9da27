// Handle and TimerHandle: a callback waiting to run (asyncio documentation, "Callback Handles").
//
// Made by the million, so: plain C structs behind types made with PyType_FromModuleAndSpec, recycled through a freelist
// of their Loop, up to three arguments inline, with one slot in front of them that vectorcall may use as scratch.
//
// A Handle belongs to whoever holds a reference: the ready queue or the timer wheel until it has run or was cancelled,
// and the program if it kept the result of call_soon. It keeps its Loop alive. The collector does not track a Handle
// that only the loop holds: the loop's tp_traverse visits through those. One that outlives its run is tracked then; a
// TimerHandle, which programs usually keep, is tracked from the start.
#pragma once

#include <cstdint>

#include "loop/timer_wheel.hpp"
#include "python/native.hpp"

namespace mainspring {

class Loop;

struct Handle {
  static constexpr int kInlineArguments = 3;

  // What each callback needs is in one cache line: CPython's allocator puts objects of this size 16 bytes before one.
  PyObject_HEAD Loop* loop;  // with a reference to its Python object
  PyObject* weak_references;
  PyObject* callback;      // nullptr once cancelled
  PyObject* context;       // its own, or a snapshot that it shares
  PyObject* overflow;      // a tuple of all arguments when there are more than three
  uint8_t argument_count;  // of the inline ones
  bool cancelled;
  bool running;
  bool tracked;
  bool is_timer : 1;
  bool was_debugged : 1;  // the last two fields may be set
  bool threadsafe;        // from call_soon_threadsafe() on Python 3.14 or newer; see wait_while_running()
  bool shares_context;    // see SharedContexts
  bool detached;          // cancelled while it ran: the program sees no callback and no arguments any more
  PyObject* slots[1 + kInlineArguments];
  PyObject* source_traceback;  // debug mode: a list; else nullptr
  PyObject* saved_repr;        // debug mode: what repr() was when it was cancelled

  static PyObject* get_context(PyObject* self, PyObject*);
  static PyObject* cancel(PyObject* self, PyObject*);
  static PyObject* get_cancelled(PyObject* self, PyObject*);
  static PyObject* run(PyObject* self, PyObject*);
  static PyObject* repr(PyObject* self);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);

  // What the Handle refers to, for the collector.
  int visit_references(visitproc visit, void* argument);

  // The callback as the program sees it (borrowed); None once cancelled.
  PyObject* visible_callback() const { return callback && !detached ? callback : Py_None; }

  // The arguments as a new tuple; None once cancelled.
  PyObject* arguments() const;

  // Since Python 3.14, cancel() and cancelled() in another thread wait while the callback of call_soon_threadsafe()
  // runs.
  void wait_while_running();

  // Whether others have the callback and each argument, too, so that nothing is finalized with this Handle.
  bool drops_nothing() const {
    if (overflow || Py_REFCNT(callback) == 1) return false;
    for (int i = 0; i < argument_count; ++i) {
      if (Py_REFCNT(slots[1 + i]) == 1) return false;
    }
    return true;
  }

  // Drops the callback and its arguments.
  void drop_callback();

  // From here on the collector tracks it.
  void track();
};

inline Handle* handle_of(PyObject* self) { return reinterpret_cast<Handle*>(self); }

struct TimerHandle : Handle, TimerNode {
  double when;  // seconds of loop.time(), as the program gave it

  static PyObject* get_when(PyObject* self, PyObject*);
  static PyObject* compare(PyObject* self, PyObject* other, int operation);
  static Py_hash_t hash(PyObject* self);
};

// Frees a Handle for good instead of recycling it: for the Loop, when it empties its freelists.
void free_handle(Handle* handle);

}  // namespace mainspring
