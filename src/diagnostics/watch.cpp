#include "diagnostics/watch.hpp"

#include "loop/clock.hpp"
#include "loop/loop.hpp"

namespace mainspring {

using Found = BlockDetector::Found;

Watch::Watch(Loop& loop, int64_t threshold)
    : heartbeat_(loop.watch()), detector_(threshold, heartbeat_->beat(), monotonic_ns()) {}

Watch::~Watch() { Loop::unwatch(*heartbeat_); }

Found Watch::look() {
  const uint64_t beat = heartbeat_->beat();
  const Found found = detector_.look(beat, Heartbeat::is_busy(beat), monotonic_ns());
  if (found == Found::kBlocked) heartbeat_->suspect(beat);
  return found;
}

PyObject* Watch::wait() {
  if (finished_) return Py_NewRef(Py_None);
  Found found = Found::kNothing;
  bool stopped = false;
  PyThreadState* thread = PyEval_SaveThread();
  while (found == Found::kNothing && !stopped) {
    interval_.sleep(detector_.interval());
    stopped = interval_.ended();
    found = look();
  }
  PyEval_RestoreThread(thread);
  // The loop may have gone on before this thread got the GIL.
  if (found == Found::kBlocked && !goes_on()) found = look();
  switch (found) {
    case Found::kBlocked:
      return say_blocked();
    case Found::kOver:
      return say_over(heartbeat_->ended_at(detector_.beat()));
    default:
      // Stopped. Of a block that lasts, this is all that will be known.
      finished_ = true;
      return detector_.blocked() ? say_over(0) : Py_NewRef(Py_None);
  }
}

PyObject* Watch::say_blocked() {
  heartbeat_->show(detector_.beat());
  Loop* loop = heartbeat_->loop;
  Ref what = Ref::borrow(heartbeat_->object ? heartbeat_->object : Py_None);
  if (heartbeat_->descriptor >= 0) {
    PyObject* transport = loop->transport_of(heartbeat_->descriptor);
    what = transport ? Ref::borrow(transport) : Ref::steal(PyLong_FromLong(heartbeat_->descriptor));
    if (!what) return nullptr;
  }
  // Of this one thread, and not sys._current_frames(), which also looks at those of interpreters with another GIL.
  Ref frame = Ref::steal(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(loop->running_state())));
  if (!frame) frame = Ref::borrow(Py_None);
  const double taken = seconds(monotonic_ns() - detector_.since());
  return Py_BuildValue("dOOOO", taken, Py_False, loop->self(), what.get(), frame.get());
}

PyObject* Watch::say_over(int64_t ended_at) {
  const double taken = seconds((ended_at ? ended_at : monotonic_ns()) - detector_.since());
  Ref callback = heartbeat_->take_callback(detector_.beat());
  if (!callback) callback = Ref::borrow(Py_None);
  return Py_BuildValue("dOOOO", taken, Py_True, Py_None, callback.get(), Py_None);
}

}  // namespace mainspring
