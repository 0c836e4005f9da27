#include "executor/call.hpp"

#include <memory>
#include <new>

#include "loop/clock.hpp"

namespace mainspring {

Call* Call::make(Loop* loop, PyObject* future, Arguments args, Py_ssize_t count) {
  Call* call = new (std::nothrow) Call();
  if (!call) {
    PyErr_NoMemory();
    return nullptr;
  }
  const Py_ssize_t arguments = count - 1;
  if (arguments > kInlineArguments) {
    call->overflow_.reset(PyTuple_New(arguments));
    if (!call->overflow_) {
      delete call;
      return nullptr;
    }
    for (Py_ssize_t i = 0; i < arguments; ++i) PyTuple_SET_ITEM(call->overflow_.get(), i, Py_NewRef(args[1 + i]));
  } else {
    call->argument_count_ = static_cast<uint8_t>(arguments);
    for (Py_ssize_t i = 0; i < arguments; ++i) call->slots_[1 + i] = Py_NewRef(args[1 + i]);
  }
  call->loop_ = loop;
  ++loop->counters.executor_calls;
  ++loop->calls_under_way;
  if (loop->measures()) call->made_at_ = monotonic_ns();
  call->loop_object_ = Ref::borrow(loop->self());
  call->future_ = Ref::borrow(future);
  call->function_ = Ref::borrow(args[0]);
  return call;
}

Loop* Call::run(Call* call, Ref* loop_object) {
  if (call->future_cancelled()) {
    call->drop();
    return nullptr;
  }
  if (call->made_at_) call->loop_->timings()->executor_waits.add(monotonic_ns() - call->made_at_);
  call->outcome_ = call->call_function();
  call->kind_ = call->outcome_ ? Outcome::kResult : Outcome::kException;
  if (!call->outcome_) call->outcome_ = take_exception();
  return call->hand_over(loop_object);
}

Loop* Call::cancel(Call* call, Ref* loop_object) {
  call->kind_ = Outcome::kCancelled;
  return call->hand_over(loop_object);
}

Ref Call::call_function() {
  if (overflow_) return Ref::steal(PyObject_CallObject(function_.get(), overflow_.get()));
  return Ref::steal(
      PyObject_Vectorcall(function_.get(), slots_ + 1, argument_count_ | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
}

bool Call::future_cancelled() {
  const Ref answer = Ref::steal(PyObject_CallMethodNoArgs(future_.get(), loop_->names().cancelled));
  if (!answer) PyErr_Clear();
  return answer.get() == Py_True;
}

Loop* Call::hand_over(Ref* loop_object) {
  Loop* loop = loop_;
  if (loop->closed) {
    drop();
    return nullptr;
  }
  *loop_object = Ref::borrow(loop_object_.get());
  // What the function was called with goes in this thread, but after the result is on its way: finalizers may take
  // their time, and from the first one on the Call is the loop's.
  const Ref function = std::move(function_);
  const Ref overflow = std::move(overflow_);
  Ref arguments[kInlineArguments];
  for (int i = 0; i < argument_count_; ++i) arguments[i] = Ref::steal(std::exchange(slots_[1 + i], nullptr));
  argument_count_ = 0;
  try {
    loop->push_completion(this);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    PyErr_WriteUnraisable(function.get());
    drop();
  }
  return loop;
}

Ref Call::set_outcome() {
  Names& names = loop_->names();
  switch (kind_) {
    case Outcome::kResult:
      return Ref::steal(PyObject_CallMethodOneArg(future_.get(), names.set_result, outcome_.get()));
    case Outcome::kException: {
      // The classes of concurrent.futures become those of asyncio.
      PyObject* convert = PyDict_GetItemWithError(loop_->state().asyncio_futures, names._convert_future_exc);
      if (convert) outcome_.reset(PyObject_CallOneArg(convert, outcome_.get()));
      if (!outcome_ || PyErr_Occurred()) return Ref();
      return Ref::steal(PyObject_CallMethodOneArg(future_.get(), names.set_exception, outcome_.get()));
    }
    default:
      return Ref::steal(PyObject_CallMethodNoArgs(future_.get(), names.cancel));
  }
}

int Call::deliver() {
  int status = 0;
  if (!set_outcome()) {
    const Ref error = take_exception();
    if (!future_cancelled()) {
      put_exception(Ref::borrow(error.get()));
      status = loop_->report("Exception in run_in_executor(), when the future was to get its result", nullptr, nullptr);
    }
  }
  loop_->leave_context();
  const SavedException saved;
  drop();
  return status;
}

void Call::drop() {
  const Ref arguments[] = {Ref::steal(slots_[1]), Ref::steal(slots_[2]), Ref::steal(slots_[3])};
  // Zero in a forked child, which may still drop calls of its parent.
  if (loop_->calls_under_way > 0) --loop_->calls_under_way;
  delete this;
}

int Call::visit(visitproc visit, void* arg) {
  Py_VISIT(loop_object_.get());
  Py_VISIT(future_.get());
  Py_VISIT(function_.get());
  Py_VISIT(overflow_.get());
  Py_VISIT(outcome_.get());
  for (int i = 0; i < argument_count_; ++i) Py_VISIT(slots_[1 + i]);
  return 0;
}

}  // namespace mainspring
