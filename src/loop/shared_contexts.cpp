#include "loop/shared_contexts.hpp"

#include "loop/handle.hpp"

namespace mainspring {

PyObject* SharedContexts::new_snapshot() {
  Ref copy = Ref::steal(PyContext_CopyCurrent());
  if (!copy || !known_) return copy.release();
  const Ref old = std::exchange(latest_, Ref::borrow(copy.get()));
  if (common_ && variables_of(common_.get()) != variables_of(copy.get())) common_.reset();
  return copy.release();
}

PyObject* SharedContexts::begin(Handle* handle) {
  PyObject* snapshot = handle->context;
  if (!has_others(snapshot)) {
    handle->shares_context = false;
    if (snapshot == latest_.get()) clear();
    return Py_NewRef(snapshot);
  }
  if (common_ && variables_of(common_.get()) == variables_of(snapshot)) [[likely]]
    return running_ = Py_NewRef(common_.get());
  // Before Python 3.12 the collector may run here, and anything with it.
  const Ref held = Ref::borrow(snapshot);
  Ref copy = Ref::steal(PyContext_Copy(snapshot));
  if (!copy) return nullptr;
  if (!handle->shares_context) return Py_NewRef(handle->context);
  if (snapshot == latest_.get()) common_ = Ref::borrow(copy.get());
  return running_ = copy.release();
}

void SharedContexts::spoilt(Handle* handle, PyObject* context) {
  const Ref old_common = context == common_.get() ? std::move(common_) : Ref();
  if (!handle->shares_context) return;
  handle->shares_context = false;
  Py_SETREF(handle->context, Py_NewRef(context));
}

bool SharedContexts::separate(Handle* handle) {
  if (!handle->shares_context) return true;
  if (handle->running) {
    spoilt(handle, running_);
    return true;
  }
  PyObject* snapshot = handle->context;
  if (has_others(snapshot)) {
    const Ref held = Ref::borrow(snapshot);
    Ref copy = Ref::steal(PyContext_Copy(snapshot));
    if (!copy) return false;
    // As above: meanwhile it may have run, or somebody else may have asked.
    if (!handle->shares_context || handle->running) return separate(handle);
    Py_SETREF(handle->context, copy.release());
  } else if (snapshot == latest_.get()) {
    clear();
  }
  handle->shares_context = false;
  return true;
}

// All is in order before the first of them goes.
void SharedContexts::clear() { const Ref latest = std::move(latest_), common = std::move(common_); }

int SharedContexts::visit(visitproc visit, void* arg) const {
  Py_VISIT(latest_.get());
  Py_VISIT(common_.get());
  return 0;
}

}  // namespace mainspring
