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
  if (common_ && variables_of(common_.get()) == variables_of(snapshot)) [[likely]]
    return running_ = Py_NewRef(common_.get());
  if (!has_others(snapshot)) {
    handle->shares_context = false;
    if (snapshot == latest_.get()) common_ = std::move(latest_);
    return running_ = Py_NewRef(snapshot);
  }
  PyObject* copy = PyContext_Copy(snapshot);
  if (copy && snapshot == latest_.get()) common_ = Ref::borrow(copy);
  return running_ = copy;
}

void SharedContexts::spoilt(Handle* handle, PyObject* context) {
  if (handle->shares_context) {
    handle->shares_context = false;
    Py_SETREF(handle->context, Py_NewRef(context));
  }
  if (context == common_.get()) common_.reset();
}

bool SharedContexts::separate(Handle* handle) {
  if (!handle->shares_context || handle->running) {
    spoilt(handle, handle->shares_context ? running_ : handle->context);
    return true;
  }
  PyObject* snapshot = handle->context;
  if (has_others(snapshot)) {
    PyObject* copy = PyContext_Copy(snapshot);
    if (!copy) return false;
    handle->context = copy;
    Py_DECREF(snapshot);
  } else if (snapshot == latest_.get()) {
    latest_.reset();
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
