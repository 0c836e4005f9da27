// Call: one function that run_in_executor() hands to a thread, and where its result goes.
//
// Belongs to the WorkQueue until a worker takes it, then to the worker until the function has returned, then as a
// Completion to the loop's ready queue. Keeps the loop and the future alive all that time. Everything with the GIL.
#pragma once

#include <cstdint>

#include "loop/completion.hpp"
#include "loop/loop.hpp"
#include "python/native.hpp"

namespace mainspring {

class Call final : public Completion {
 public:
  // A new Call of args[0] with the other arguments; nullptr with an exception set.
  static Call* make(Loop* loop, PyObject* future, Arguments args, Py_ssize_t count);

  // Runs the function, unless the future has been cancelled, and leaves the Call to the loop, or frees it when there is
  // nothing to deliver. Returns the loop to be woken, an owned reference in `loop_object`, or nullptr.
  static Loop* run(Call* call, Ref* loop_object);

  // The pool drops the Call before it has begun: the future is to be cancelled. As run().
  static Loop* cancel(Call* call, Ref* loop_object);

  int deliver() override;
  void drop() override;
  int visit(visitproc visit, void* argument) override;

 private:
  static constexpr int kInlineArguments = 3;

  enum class Outcome : uint8_t { kNone, kResult, kException, kCancelled };

  Call() = default;
  ~Call() = default;

  Loop* hand_over(Ref* loop_object);
  Ref call_function();
  bool future_cancelled();
  Ref set_outcome();

  Loop* loop_ = nullptr;
  Ref loop_object_;
  Ref future_;
  Ref function_;
  Ref overflow_;  // a tuple of all arguments when there are more than three
  Ref outcome_;
  uint8_t argument_count_ = 0;  // of the inline ones
  Outcome kind_ = Outcome::kNone;
  PyObject* slots_[1 + kInlineArguments] = {};  // vectorcall may use the first one as scratch
  int64_t made_at_ = 0;                         // ns, when the loop measures durations
};

}  // namespace mainspring
