// The contexts of Handles that were given none.
//
// Each runs in a copy of the context in which it was scheduled (asyncio documentation, "Callback Handles"). Most
// callbacks change no variable, so most copies are the same; they cost an object each, which the collector counts, and
// a thousand of them more room than the first cache has. So:
//
//   - Handles that are scheduled while the variables are the same share one snapshot, which nobody enters.
//   - One after the other they run in the same further copy of it, the common context, as long as none has changed it,
//     and nobody keeps it: a Token does, and so may who asks a Handle for its context.
//   - A snapshot that one Handle alone has is entered as it is.
//
// What a program sees is a context of its own for each Handle. The snapshot and the common context live no longer than
// the Handles that wait for them, or than the callback that runs. With the GIL, from any thread.
#pragma once

#include "python/context_variables.hpp"
#include "python/ref.hpp"

namespace mainspring {

struct Handle;

class SharedContexts {
 public:
  // What tells when a callback returns whether its context is as it was, and nobody else's.
  struct Look {
    bool operator==(const Look&) const = default;

    const void* variables;
    Py_ssize_t references;  // but for the one that is held here, which may have gone meanwhile
  };

  // Where `known` is false (context_layout_is_known()), each Handle gets a copy.
  explicit SharedContexts(bool known) : known_(known) {}

  // For a Handle that is being made: a new reference to a context with the present variables, which is the Handle's own
  // if `shared` says false. nullptr with an exception set.
  PyObject* snapshot(bool* shared) {
    *shared = known_;
    if (latest_) {
      PyObject* current = current_context();
      if (current && variables_of(current) == variables_of(latest_.get())) [[likely]]
        return Py_NewRef(latest_.get());
    }
    return new_snapshot();
  }

  // The context in which a Handle that shares one is to run: a new reference, nullptr with an exception set.
  PyObject* begin(Handle* handle);

  Look look(PyObject* context) const {
    return {variables_of(context), Py_REFCNT(context) - (context == common_.get())};
  }

  // It has run, and has left `context` changed, or kept.
  void spoilt(Handle* handle, PyObject* context);

  // Whatever a Handle shares is its own from now on. False with an exception set.
  bool separate(Handle* handle);

  // Whether no Handle waits any more: after a callback, or outside one, it is time for clear().
  bool unsettled() const { return latest_ ? Py_REFCNT(latest_.get()) == 1 : bool(common_); }

  // May run finalizers.
  void clear();
  int visit(visitproc visit, void* arg) const;

 private:
  PyObject* new_snapshot();
  bool has_others(PyObject* snapshot) const { return Py_REFCNT(snapshot) > 1 + (snapshot == latest_.get()); }

  const bool known_;
  Ref latest_;                   // the snapshot that was made last
  Ref common_;                   // with the same variables
  PyObject* running_ = nullptr;  // what begin() gave last (borrowed)
};

}  // namespace mainspring
