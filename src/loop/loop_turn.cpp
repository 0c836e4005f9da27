// A turn of the loop: polling, serving what is ready, sending what was written.
#include <algorithm>
#include <exception>

#include "loop/clock.hpp"
#include "loop/loop.hpp"

namespace mainspring {

namespace {

// Transports' output waits at most this long for the turn to end, so that nobody waits long for his neighbours'
// callbacks. Not less, because output that is sent one by one wakes its reader each time, at the sender's cost.
constexpr int64_t kFlushInterval = 500'000;  // ns

// Nor does more output than this wait: what is sent later has left the processor's cache.
constexpr size_t kFlushBytes = 128 * 1024;

// As long does a thread wait that is to be woken when the loop lets go of the GIL.
constexpr int64_t kOwedInterval = 50'000;  // ns

// While the loop spins, how often it looks whether it has been woken before it looks for events: about a microsecond.
constexpr int kLooksForWake = 16;

// Runs until `end` has to be called. That is no destructor: a thread that the interpreter ends unwinds its stack
// without the GIL, and nothing of a loop may be touched then.
template <typename Run, typename End>
bool run_with(Run run, End end) {
  bool ok;
  try {
    ok = run();
  } catch (const std::exception&) {
    end();
    throw;
  }
  end();
  return ok;
}

}  // namespace

bool Loop::run(bool handles_signals) {
  if (!virtual_time_) return run_turns(handles_signals);
  if (!begin_driving()) return false;
  return run_with([&] { return run_turns(handles_signals); }, [&] { virtual_time_->clock.loop = nullptr; });
}

bool Loop::run_turns(bool handles_signals) {
  uv_->own();
  handles_signals_ = handles_signals && state_.main_interpreter;
  if (handles_signals_) open_signal_pipe();
  running_thread_ = PyThread_get_thread_ident();
  running_state_ = PyThreadState_Get();
  if (watched_) watched_->busy();
  const auto end = [this] {
    if (watched_) watched_->idle();
    running_state_ = nullptr;
  };
  return run_with([this] { return turn_until_stopped(); }, end);
}

bool Loop::turn_until_stopped() {
  expect_events();
  arrivals_wait_ = false;
  if (measures_) timings_->end_looking();
  bool ok;
  do {
    ok = run_once();
  } while (ok && (!stopping || arrivals_wait_));
  if (timings_) timings_->stop_looking();
  wake_owed();
  return ok;
}

void Loop::open_signal_pipe() {
  signal_pipe_.open(*uv_, waits_, this, [](void* owner, int) { return static_cast<Loop*>(owner)->serve_signals(); });
}

int Loop::serve_signals() {
  unsigned char numbers[256];
  while (const size_t count = signal_pipe_.read(numbers, sizeof numbers)) {
    signal_pipe_.forward(numbers, count);
    for (size_t i = 0; i < count; ++i) {
      if (numbers[i] == 0) continue;
      const Ref number = Ref::steal(PyLong_FromLong(numbers[i]));
      if (!number) return -1;
      const Ref result = Ref::steal(PyObject_CallMethodOneArg(self_, names()._handle_signal, number.get()));
      if (!result) return -1;
    }
  }
  return 0;
}

bool Loop::run_once() {
  if (stream_writer_turns_ > 0) [[unlikely]]
    --stream_writer_turns_;
  const bool arrivals_waited = std::exchange(arrivals_wait_, false);
  if (virtual_time_ && !arrivals_waited) [[unlikely]] {
    if (!poll_in_virtual_time()) return false;
  } else if (ready_.empty() && !stopping) {
    const int64_t now = monotonic_ns();
    int64_t deadline = timers_.next_deadline();
    if (has_other_clock() && !to_kernel_time(now, &deadline)) return false;
    deadline = timer_spacing_.wake_at(deadline);
    if (deadline <= now) {
      look();
    } else if (!wait(deadline, now)) {
      return false;
    }
  } else {
    wake_owed();
    // Before arrivals that have waited are served, nothing that comes after them is looked for.
    if (!arrivals_waited && policy_.should_poll(cycles)) look();
  }
  if (handles_signals_ && PyErr_CheckSignals() < 0) return false;

  // After stop() the turns serve what had been found before it.
  if (!timers_.empty() && !(arrivals_waited && stopping)) {
    const int64_t kernel_now = monotonic_ns();
    int64_t now = kernel_now;
    if (has_other_clock() && !read_clock_ns(&now)) return false;
    int fired = 0;
    while (TimerNode* node = timers_.pop_due(now)) {
      // The wheel's reference becomes the queue's.
      ready_.push(ReadyItem(static_cast<Handle*>(static_cast<TimerHandle*>(node)), kHandle));
      ++fired;
    }
    if (fired) {
      // They come after all that had arrived, as on the default loop, but not after what that makes ready.
      arrivals_may_wait_ = false;
      counters.timers_fired += static_cast<uint64_t>(fired);
      timer_spacing_.fired(fired, kernel_now);
    }
  }

  in_turn_ = true;
  if (++turn_ == 0) ++turn_;
  ++counters.turns;
  const size_t served = ready_.size();
  received_all_ = 0;
  expects_events_ = false;
  const bool ok = measures_ ? serve_ready<true>() : serve_ready<false>();
  in_turn_ = false;
  if (!ok) {
    const SavedException saved;
    settle_contexts();
    leave_context();
    flush();
    return false;
  }
  settle_contexts();
  leave_context();
  if (!unflushed_.empty() && !flush()) return false;
  if (received_all_ == served && !expects_events_ && !uv_->awaits_room()) policy_.only_received();
  return true;
}

// What the queue holds now; false with an exception set when one leaves the loop.
template <bool measured>
bool Loop::serve_ready() {
  bool ok = true;
  bool arrived = false;
  const size_t all = ready_.size();
  for (size_t todo = all; ok && todo > 0; --todo) {
    const ReadyItem item = ready_.pop();
    if (item.kind() != kArrival) {
      ok = measured ? serve_measured(item) : serve(item);
    } else {
      if (!std::exchange(arrived, true)) batch_.begin(all - todo);
      if (batch_.full() && arrivals_may_wait_ && !stopping) [[unlikely]] {
        // The one that has been taken out makes the room that is needed.
        ready_.push(item);
        for (size_t rest = todo - 1; rest > 0; --rest) ready_.push(ready_.pop());
        arrivals_wait_ = true;
        break;
      }
      const uint64_t received = counters.bytes_received;
      const size_t ready = ready_.size();
      ok = measured ? serve_measured(item) : serve(item);
      batch_.add(counters.bytes_received - received, ready_.size() - ready);
    }
    if (!unflushed_.empty() && ok &&
        (unflushed_bytes_ > kFlushBytes || monotonic_ns() - unflushed_since_ > kFlushInterval)) {
      ok = flush();
    }
    if (owed_ && monotonic_ns() - owed_since_ > kOwedInterval) wake_owed();
  }
  if (!arrived) batch_.none();
  return ok;
}

bool Loop::serve_measured(ReadyItem item) {
  if (item.kind() == kHandle && item.as<Handle>()->cancelled) return serve(item);
  const int64_t started = monotonic_ns();
  const bool ok = serve(item);
  timings_->callback_times.add(monotonic_ns() - started);
  return ok;
}

void Loop::measure(bool enabled) {
  if (enabled && !timings_) timings_ = std::make_unique<Timings>();
  // Lag is measured from the next look on.
  if (timings_) timings_->forget_look();
  measures_ = enabled;
}

bool Loop::read_clock(double* now) {
  if (!has_other_clock()) [[likely]] {
    *now = seconds(monotonic_ns());
    return true;
  }
  if (virtual_time_) {
    *now = seconds(virtual_time_->clock.now());
    return true;
  }
  const Ref result = Ref::steal(PyObject_CallMethodNoArgs(self_, names().time));
  *now = result ? PyFloat_AsDouble(result.get()) : -1;
  return !(*now == -1 && PyErr_Occurred());
}

bool Loop::read_clock_ns(int64_t* now) {
  if (virtual_time_) {
    *now = virtual_time_->clock.now();
    return true;
  }
  double time;
  if (!read_clock(&time)) return false;
  *now = first_ns_at(time);
  return true;
}

// The moment of the kernel's clock at which `deadline`, a moment of the program's clock, is reached if both run alike.
bool Loop::to_kernel_time(int64_t now, int64_t* deadline) {
  if (*deadline == TimerWheel::kNever) return true;
  int64_t other;
  if (!read_clock_ns(&other)) return false;
  if (*deadline <= other) {
    *deadline = now;
  } else if (__builtin_sub_overflow(*deadline, other, deadline) || __builtin_add_overflow(*deadline, now, deadline)) {
    *deadline = TimerWheel::kNever;
  }
  return true;
}

bool Loop::wait(int64_t deadline, int64_t now) {
  if (handles_signals_) {
    signal_pipe_.begin_wait();
    // A signal before this point has not written to the pipe.
    if (PyErr_CheckSignals() < 0) {
      signal_pipe_.end_wait();
      return false;
    }
    if (!ready_.empty() || stopping) {
      signal_pipe_.end_wait();
      look();
      return true;
    }
  }
  // A forked child must not touch its parent's alarm.
  if (uv_->try_own()) [[likely]] {
    if (deadline == TimerWheel::kNever) {
      uv_->alarm().clear();
    } else {
      uv_->alarm().set(timer_spacing_.sleep_until(deadline), now);
    }
  }
  descriptors_.check_new();
  phase_.store(kEntering);
  waiting_ = true;
  if (watched_) watched_->idle();
  Timings* timings = measures_ ? timings_.get() : nullptr;
  if (timings) timings->begin_waiting();
  const bool spins = calls_under_way > 0 && !virtual_time_ && spin_policy_.should_spin();
  uv_->prepare();
  PyThreadState* thread = PyEval_SaveThread();
  wake_owed();
  const bool spun = spins && !uv_->has_events();
  if (spun) spin();
  const bool waited = phase_.exchange(kPolling) != kWoken;
  if (waited) uv_->block();
  const int64_t woken_at = timings ? monotonic_ns() : 0;
  PyEval_RestoreThread(thread);
  if (spun) spin_policy_.spun(!waited);
  if (timings) timings->end_waiting(woken_at);
  waiting_ = false;
  if (watched_) watched_->busy();
  woken_ = false;
  if (handles_signals_) signal_pipe_.end_wait();
  if (!waited) {
    if (policy_.should_poll(cycles)) look();
    return true;
  }
  ++counters.waits;
  uv_->collect();
  take_arrivals();
  policy_.polled(true, 0);
  return true;
}

// Until the loop is woken or there are events, or for as long as it pays. Without the GIL.
void Loop::spin() {
  const SpinClock clock;
  do {
    for (int i = 0; i < kLooksForWake; ++i) {
      if (phase_.load(std::memory_order_acquire) == kWoken) return;
      relax_processor();
    }
  } while (clock.elapsed() < kSpinTime && !uv_->has_events());
}

void Loop::look() {
  descriptors_.check_new();
  if (measures_) timings_->begin_looking();
  uv_->poll();
  if (measures_) timings_->end_looking();
  const bool found = !uv_->arrivals().empty();
  take_arrivals();
  policy_.polled(found, policy_.eager() ? 0 : cycles());
}

void Loop::take_arrivals() {
  ++counters.polls;
  counters.io_events += uv_->arrivals().size();
  arrivals_may_wait_ = true;
  for (uv::Poller* poller : uv_->arrivals()) {
    ready_.push(ReadyItem(poller, kArrival));
    arrivals_may_wait_ &= poller->may_wait();
  }
  uv_->arrivals().clear();
}

bool Loop::serve(ReadyItem item) {
  Heartbeat* const heartbeat = watched_;
  if (item.kind() != kHandle) leave_context();
  switch (item.kind()) {
    case kHandle: {
      auto* handle = item.as<Handle>();
      if (heartbeat) [[unlikely]]
        heartbeat->busy(reinterpret_cast<PyObject*>(handle));
      int status = 0;
      if (!handle->cancelled) {
        status = debug ? run_debug(handle) : run_handle(handle);
      } else {
        leave_context();
      }
      if (heartbeat) [[unlikely]]
        heartbeat->served(handle->callback);
      if (Py_REFCNT(handle) > 1 && !handle->tracked) handle->track();
      Py_DECREF(reinterpret_cast<PyObject*>(handle));
      if (status != 0) return false;
      settle_contexts();
      return true;
    }
    case kArrival: {
      if (heartbeat) [[unlikely]]
        heartbeat->busy(nullptr, item.as<uv::Poller>()->fd());
      const int status = serve_arrival(item.as<uv::Poller>());
      if (heartbeat) [[unlikely]]
        heartbeat->served(nullptr);
      return status == 0;
    }
    case kCompletion:
      return item.as<Completion>()->deliver() == 0;
    default: {
      auto* io = item.as<IoObject>();
      const Ref alive = Ref::steal(io->object);
      if (heartbeat) [[unlikely]]
        heartbeat->busy(io->object);
      const int status = io->kind->run_step(io);
      if (heartbeat) [[unlikely]]
        heartbeat->served(nullptr);
      if (status < 0) return false;
      leave_context();
      return true;
    }
  }
}

int Loop::serve_arrival(uv::Poller* poller) {
  const int events = poller->take();
  if (events == 0) return 0;
  const int status = poller->serve(events);
  if (status == 0) leave_context();
  return status;
}

int Loop::run_handle(Handle* handle) {
  if (handle->shares_context) return run_shared(handle);
  if (handle->cancelled) return 0;
  ++counters.callbacks;
  PyObject* result = nullptr;
  if (enter_context(handle->context)) [[likely]] {
    result = call(handle);
  } else if (!PyContext_CheckExact(handle->context)) {
    result = run_in_other_context(handle);
  }
  return finish(handle, result);
}

int Loop::run_shared(Handle* handle) {
  const Ref context = Ref::steal(contexts_.begin(handle));
  // Even what that let go of may have cancelled it.
  if (handle->cancelled) return 0;
  ++counters.callbacks;
  PyObject* result = nullptr;
  if (context && enter_context(context.get())) [[likely]] {
    const SharedContexts::Look before = contexts_.look(context.get());
    result = call(handle);
    const bool spoilt = contexts_.look(context.get()) != before || entered_context_ != context.get();
    if (spoilt) contexts_.spoilt(handle, context.get());
    // The next one may run in the same context. But what is finalized does that outside.
    if (result == Py_None && !spoilt && !debug && Py_REFCNT(handle) == 1 && handle->drops_nothing()) {
      finish_running(handle);
      return 0;
    }
  }
  return finish(handle, result);
}

inline void Loop::settle_contexts() {
  if (!contexts_.unsettled()) return;
  leave_context();
  contexts_.clear();
}

inline PyObject* Loop::call(Handle* handle) {
  handle->running = true;
  if (handle->overflow) [[unlikely]]
    return PyObject_CallObject(handle->callback, handle->overflow);
  return PyObject_Vectorcall(handle->callback, handle->slots + 1,
                             handle->argument_count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

inline void Loop::finish_running(Handle* handle) {
  if (waiting_for_callbacks_ == 0) [[likely]] {
    handle->running = false;
  } else {
    const std::lock_guard lock(ran_mutex_);
    handle->running = false;
    ran_.notify_all();
  }
}

inline int Loop::finish(Handle* handle, PyObject* result) {
  finish_running(handle);
  int status = 0;
  if (result) [[likely]] {
    // Dropping the result or the Handle may run finalizers that want to enter the context: an exception that was never
    // retrieved is reported in its task's.
    leave_context();
    Py_DECREF(result);
  } else {
    status = report_callback_error(handle);
  }
  if (handle->cancelled) handle->drop_callback();
  return status;
}

// For the default loop a context is whatever has a method run(), and the callback's error if it has none.
PyObject* Loop::run_in_other_context(Handle* handle) {
  PyErr_Clear();
  const Ref callback = Ref::steal(PyTuple_Pack(1, handle->callback));
  const Ref arguments = callback ? Ref::steal(handle->arguments()) : Ref();
  const Ref all = arguments ? Ref::steal(PySequence_Concat(callback.get(), arguments.get())) : Ref();
  if (!all) return nullptr;
  // To look for run() may run Python, which may cancel the Handle.
  handle->running = true;
  const Ref context = Ref::borrow(handle->context);
  const Ref run = Ref::steal(PyObject_GetAttr(context.get(), names().run));
  return run ? PyObject_CallObject(run.get(), all.get()) : nullptr;
}

void Loop::wait_for_callback(Handle* handle) {
  if (PyThread_get_thread_ident() == running_thread_) return;
  ++waiting_for_callbacks_;
  PyThreadState* thread = PyEval_SaveThread();
  {
    std::unique_lock lock(ran_mutex_);
    ran_.wait(lock, [&] { return !handle->running; });
  }
  PyEval_RestoreThread(thread);
  --waiting_for_callbacks_;
}

int Loop::run_debug(Handle* handle) {
  Py_XSETREF(current_handle, Py_NewRef(reinterpret_cast<PyObject*>(handle)));
  const int64_t started = duration_clock();
  int status = run_handle(handle);
  if (status == 0) status = report_slow(reinterpret_cast<PyObject*>(handle), started);
  Py_CLEAR(current_handle);
  return status;
}

bool Loop::enter_context(PyObject* context) {
  if (context == entered_context_) return true;
  leave_context();
  if (PyContext_Enter(context) < 0) return false;
  entered_context_ = context;
  return true;
}

void Loop::leave_context() {
  PyObject* context = std::exchange(entered_context_, nullptr);
  if (!context) return;
  // The thread state gives up what may be the last reference; it is held until the thread has left.
  const Ref alive = Ref::borrow(context);
  if (PyContext_Exit(context) < 0) PyErr_WriteUnraisable(self_);
}

void Loop::end_nested(PyObject* outer) {
  const SavedException saved;
  leave_context();
  entered_context_ = outer;
}

void Loop::flush_later(IoObject* io, size_t bytes) {
  unflushed_bytes_ += bytes;
  if (io->flush_pending) return;
  if (unflushed_.empty()) unflushed_since_ = monotonic_ns();
  unflushed_.push_back(io);
  io->flush_pending = true;
  Py_INCREF(io->object);
}

bool Loop::flush() {
  leave_context();
  // Protocol methods called on the way (pause_writing) may write again; that is sent in the same pass.
  bool ok = true;
  unflushed_bytes_ = 0;
  while (!unflushed_.empty()) {
    std::vector<IoObject*> batch;
    batch.swap(unflushed_);
    for (IoObject* io : batch) {
      const Ref alive = Ref::steal(io->object);
      io->flush_pending = false;
      if (ok) {
        ok = io->kind->flush(io) == 0;
      } else {
        const SavedException saved;
        if (io->kind->flush(io) < 0) PyErr_WriteUnraisable(io->object);
      }
    }
  }
  leave_context();
  expect_events();
  return ok;
}

}  // namespace mainspring
