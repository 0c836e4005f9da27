// Loop: the native half of mainspring.Loop. What runs per callback or per event is here; the other half is
// asyncio.BaseEventLoop, through Python's multiple inheritance.
//
// One turn of the loop (run_once) is asyncio's:
//
//   1. Poll: wait when nothing is ready, otherwise only look (see PollPolicy for when looking may be skipped).
//   2. Append what arrived, then the timers that are due, to the ready queue.
//   3. Run what the queue held at that moment; what callbacks schedule runs in the next turn.
//   4. Send what transports wrote during the turn.
//
// Everything here is touched with the GIL held, and only by the thread that runs the loop, but for
// call_soon_threadsafe and completions, which only append to the ready queue and wake the loop when it waits.
//
// Ownership: the ready queue, the timer wheel, the watched descriptors and the list of unflushed transports each hold
// strong references; `active_` lists the I/O objects that are registered with libuv and holds one on each of them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "loop/address_cache.hpp"
#include "loop/arrival_batch.hpp"
#include "loop/completion.hpp"
#include "loop/counters.hpp"
#include "loop/handle.hpp"
#include "loop/heartbeat.hpp"
#include "loop/io_object.hpp"
#include "loop/module_state.hpp"
#include "loop/poll_policy.hpp"
#include "loop/process_exits.hpp"
#include "loop/ready_queue.hpp"
#include "loop/shared_contexts.hpp"
#include "loop/signal_pipe.hpp"
#include "loop/sleeper.hpp"
#include "loop/spinning.hpp"
#include "loop/timer_spacing.hpp"
#include "loop/timer_wheel.hpp"
#include "loop/timings.hpp"
#include "loop/virtual_time.hpp"
#include "loop/waits.hpp"
#include "loop/waker.hpp"
#include "loop/watched_descriptor.hpp"
#include "uv/event_loop.hpp"

namespace mainspring {

class Loop {
 public:
  explicit Loop(ModuleState& state);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // The Loop inside a Python instance; nullptr with RuntimeError set when its __init__ was never called.
  static Loop* from(PyObject* self);

  ModuleState& state() { return state_; }
  Names& names() { return state_.names; }
  uv::EventLoop& uv() { return *uv_; }

  // The Python object that this Loop is part of (borrowed: it owns this).
  PyObject* self() { return self_; }
  void set_self(PyObject* self) { self_ = self; }

  // --- running -----------------------------------------------------------------------------------------------------

  // Turns until stop() was called. False with an exception set when one left the loop. `handles_signals` says that
  // this is the thread in which Python runs signal handlers.
  bool run(bool handles_signals);
  void stop() { stopping = true; }

  // Releases everything: descriptors, Handles, timers. Nothing is called back. Idempotent.
  void close();

  // {"loop": self}, for calls of asyncio's classes; not to be changed. Borrowed; nullptr with an exception set.
  PyObject* as_keyword();

  bool in_turn() const { return in_turn_; }

  // The number of the present turn, or of the last one.
  uint32_t turn() const { return turn_; }

  // Whether this thread is the one that runs callbacks just now.
  bool runs_here() const { return in_turn_ && PyThread_get_thread_ident() == running_thread_; }

  // --- watchdogs ---------------------------------------------------------------------------------------------------

  // One watchdog more: what it is to look at. Throws std::bad_alloc.
  std::shared_ptr<Heartbeat> watch();

  // One less; the Loop that it watched may be gone.
  static void unwatch(Heartbeat& heartbeat);

  // The thread state of the thread that runs the loop; nullptr when it does not run.
  PyThreadState* running_state() const { return running_state_; }

  // --- the clock ---------------------------------------------------------------------------------------------------

  // Whether loop.time() is not the kernel's clock, because the program has replaced it or time.monotonic, or because
  // the loop is in virtual time.
  bool has_other_clock() { return overrides_time || state_.time.monotonic_is_replaced(); }

  // What loop.time() returns, in seconds. False with an exception set.
  bool read_clock(double* now);

  // What debug mode measures the durations of callbacks by, in nanoseconds.
  int64_t duration_clock() const { return virtual_time_ ? virtual_time_->clock.now() : monotonic_ns(); }

  // --- virtual time ------------------------------------------------------------------------------------------------

  // From now on the loop goes by this clock, which is part of `object`. False with an exception set.
  bool use_clock(PyObject* object, VirtualClock* clock);

  // nullptr unless the loop goes by a VirtualClock.
  VirtualTime* virtual_time() { return virtual_time_.get(); }

  // --- scheduling --------------------------------------------------------------------------------------------------

  // A new Handle, not scheduled. `context` may be nullptr: a copy of the current one.
  Handle* make_handle(PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context);

  // A new Handle at the end of the ready queue; returns a new reference, nullptr with an exception set.
  Handle* call_soon(PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context);
  TimerHandle* call_at(double when, PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context);

  // Appends a Handle or an I/O object's deferred step; takes over one reference.
  bool push(Handle* stolen);
  bool push_step(IoObject* io);

  // Appends what another thread has finished; throws std::bad_alloc. Does not wake the loop.
  void push_completion(Completion* completion);

  // Runs a Handle in its context. -1 with an exception set only for what leaves the loop.
  int run_handle(Handle* handle);

  // The same in debug mode: the Handle is the current one, and its duration is looked at.
  int run_debug(Handle* handle);

  // Debug mode: logs what ran since `started` (duration_clock()) if that was slow_callback_duration or more.
  int report_slow(PyObject* what, int64_t started);

  void remove_timer(TimerHandle* handle);

  // Wakes the loop if it waits. With the GIL.
  void wake_if_waiting();

  // The same, giving up the GIL meanwhile: where the kernel lets the loop go first, it would only run into the GIL, and
  // sleep again until the caller has come to a wait.
  void wake_without_gil();

  // The same in two steps, for a thread that first lets go of the GIL, so that the loop finds it free: claim_wake()
  // with the GIL, and if that was true send_wake() soon after, without it. The Loop stays open in between.
  bool claim_wake();
  void send_wake();

  // Wakes another thread once the loop lets go of the GIL, or has run callbacks for a while: with the GIL.
  void wake_soon(Sleeper& sleeper);

  // False with RuntimeError("Event loop is closed").
  bool check_open();
  // Debug mode's checks of a scheduling call. False with an exception set.
  bool check_debug(PyObject* callback, const char* method, bool check_thread);
  // Debug mode: the stack of the program, to be kept by what it schedules. nullptr without an exception outside debug.
  PyObject* source_traceback();

  // Blocks, without the GIL, until the callback of `handle` has returned. At once in the thread that runs the loop.
  void wait_for_callback(Handle* handle);

  // Freelists of Handles.
  Handle* take_free(bool timer);
  bool give_free(Handle* handle);

  // --- contexts ----------------------------------------------------------------------------------------------------

  // Makes `context` current until leave_context(), or until another one is asked for. False with an exception set.
  bool enter_context(PyObject* context);
  void leave_context();

  // Around what a callback runs by itself, inside its own context.
  PyObject* begin_nested() { return std::exchange(entered_context_, nullptr); }
  void end_nested(PyObject* outer);

  // What Handles share that were given no context.
  SharedContexts& contexts() { return contexts_; }

  // A Handle that has not run is gone. Callbacks let go of what nobody waits for when they return.
  void released_snapshot() {
    if (!in_turn_ && contexts_.unsettled()) contexts_.clear();
  }

  // --- input and output --------------------------------------------------------------------------------------------

  WatchedDescriptors& descriptors() { return descriptors_; }
  Waits& waits() { return waits_; }
  ProcessExits& process_exits() { return process_exits_; }
  SignalPipe& signal_pipe() { return signal_pipe_; }

  // Makes the pipe that signals are written to; throws std::system_error.
  void open_signal_pipe();

  // Registers an I/O object: it stays alive until release(). Both are idempotent.
  void hold(IoObject* io);
  void release(IoObject* io);

  // Remembers that `io` has output to send when the turn's callbacks have run, so many bytes more than before.
  void flush_later(IoObject* io, size_t bytes);

  // The number of a descriptor is the loop's own now: what the program registered under it was closed without a word.
  void forget_registered(int fd);

  // Descriptors that a transport owns, so that add_reader can refuse them.
  void set_transport(int fd, PyObject* transport);
  PyObject* transport_of(int fd) const;

  // A new list of these transports. nullptr with an exception set.
  PyObject* open_transports() const;

  // False with RuntimeError set when the descriptor belongs to an open transport, and so is not the program's to watch.
  // `file` is what the program calls it.
  bool check_no_transport(long number, PyObject* file);

  // Polls soon: a program that wrote or registered something expects an answer.
  void expect_events() {
    expects_events_ = true;
    policy_.expect_events();
  }

  // So much has been sent, which somebody may answer.
  void sent(size_t bytes) {
    counters.sent(bytes);
    expect_events();
  }

  // An arrival has been served by taking all that had been received. Nothing else can have become ready by that, unless
  // somebody waits for the room.
  void received_all() { ++received_all_; }

  // One page-aligned buffer for all reads; its contents are copied out before anything else can read.
  char* read_buffer() { return read_buffer_.get(); }
  static constexpr size_t kReadBufferSize = 256 * 1024;

  // The addresses of datagrams. Made with the first.
  AddressCache& addresses() {
    if (!addresses_) addresses_ = std::make_unique<AddressCache>();
    return *addresses_;
  }

  // asyncio.open_connection() makes its writer in the turn after connection_made().
  void expect_stream_writer() { stream_writer_turns_ = 2; }
  bool expects_stream_writer() const { return stream_writer_turns_ > 0; }

  // The size of the last thing that sock_recv() received: the next is likely to be as large.
  Py_ssize_t last_received = 0;

  // Calls of which the threads of the loop's own pool still owe it the results.
  size_t calls_under_way = 0;

  // Hands an exception that is set to the exception handler with a message and, where given, the transport and the
  // protocol. -1 when it must leave the loop (or the handler raised such an exception).
  int report(const char* message, PyObject* transport, PyObject* protocol);
  int report(const char* message, PyObject* exception, PyObject* transport, PyObject* protocol);

  // The same for an exception of a Handle's callback.
  int report_callback_error(Handle* handle);

  // The same for an exception of `owner.method(argument)` (`argument` may be nullptr), which the default loop would
  // have scheduled: its Handle, `cancelled` where that loop would have cancelled it, is what the exception handler
  // gets.
  int report_call(PyObject* owner, PyObject* method, PyObject* argument, PyObject* context, bool cancelled = false);

  // A Handle for such a call, not scheduled. nullptr with an exception set.
  Handle* make_call(PyObject* owner, PyObject* method, PyObject* argument, PyObject* context);

  // --- metrics -----------------------------------------------------------------------------------------------------

  // What metrics() tells; the rooms add to it where they do what is counted.
  Counters counters;

  // Measures durations, or stops to: from the next turn on. Throws std::bad_alloc.
  void measure(bool enabled);
  bool measures() const { return measures_; }

  // What has been measured; nullptr when nothing ever was.
  Timings* timings() { return timings_.get(); }

  size_t ready_count() const { return ready_.size(); }
  size_t timer_count() const { return timers_.size(); }

  // --- the collector -----------------------------------------------------------------------------------------------

  int traverse(visitproc visit, void* argument);
  void clear();

  // Fields that Python code of BaseEventLoop reads and writes by these names (with a leading underscore).
  bool debug = false;
  bool closed = false;
  bool stopping = false;
  bool native_streams = true;
  PyObject* thread_id = nullptr;
  PyObject* task_factory = nullptr;
  bool overrides_time = false;  // the method time() is not the native one, or the clock not the kernel's
  PyObject* current_handle = nullptr;
  PyObject* default_executor = nullptr;
  bool executor_shutdown_called = false;

 private:
  struct AlignedFree {
    void operator()(char* memory) const { free(memory); }
  };

  enum Kind : unsigned { kHandle, kArrival, kStep, kCompletion };

  // When the callback of a Handle runs. One that runs often finds again what it has set in its context.
  enum class Runs { kSoon, kAtItsTime, kOften };

  Handle* make(Runs runs, PyObject* callback, Arguments args, Py_ssize_t count, PyObject* context);
  void renew_descriptors();
  bool run_once();
  bool run_turns(bool handles_signals);
  bool turn_until_stopped();
  bool read_clock_ns(int64_t* now);
  bool to_kernel_time(int64_t now, int64_t* deadline);
  bool wait(int64_t deadline, int64_t now);
  void spin();
  void look();
  bool begin_driving();
  bool poll_in_virtual_time();
  bool wait_for_outside(int64_t limit, int64_t now);
  bool outlast_work();
  std::vector<int> peers() const;
  void wake_owed();
  void take_arrivals();
  template <bool measured>
  bool serve_ready();
  bool serve(ReadyItem item);
  bool serve_measured(ReadyItem item);
  int serve_arrival(uv::Poller* poller);
  int run_shared(Handle* handle);
  PyObject* call(Handle* handle);
  PyObject* run_in_other_context(Handle* handle);
  void finish_running(Handle* handle);
  int finish(Handle* handle, PyObject* result);
  void settle_contexts();
  int serve_signals();
  bool flush();
  void drop(ReadyItem item);
  void drop_everything();
  int visit_handle(Handle* handle, visitproc visit, void* argument);

  ModuleState& state_;
  Ref module_;
  PyObject* self_ = nullptr;
  Ref as_keyword_;
  std::unique_ptr<uv::EventLoop> uv_;
  std::unique_ptr<Waker> waker_;
  ReadyQueue ready_;
  TimerWheel timers_;
  std::unique_ptr<VirtualTime> virtual_time_;
  PollPolicy policy_;
  SpinPolicy spin_policy_;
  SignalPipe signal_pipe_;
  WatchedDescriptors descriptors_;
  Waits waits_;
  ProcessExits process_exits_;
  std::vector<PyObject*> transports_;
  std::vector<IoObject*> unflushed_;
  IoObject* active_ = nullptr;
  std::unique_ptr<char, AlignedFree> read_buffer_;
  std::unique_ptr<AddressCache> addresses_;
  SharedContexts contexts_;
  PyObject* entered_context_ = nullptr;
  int64_t unflushed_since_ = 0;
  size_t unflushed_bytes_ = 0;
  TimerSpacing timer_spacing_;
  int stream_writer_turns_ = 0;

  // In the present turn.
  size_t received_all_ = 0;
  bool expects_events_ = false;

  // How much of what a poll has found is served in a turn; whether that may be less than all, and whether it was.
  ArrivalBatch batch_;
  bool arrivals_may_wait_ = false;
  bool arrivals_wait_ = false;
  bool waiting_ = false;
  bool woken_ = false;
  std::atomic<int> wakes_claimed_ = 0;

  // Between giving up the GIL and waiting in the kernel the loop can be told that there is nothing to wait for.
  enum Phase { kEntering, kPolling, kWoken };
  std::atomic<Phase> phase_ = kEntering;

  // A thread that has been woken but for the system call.
  Sleeper::Address owed_ = nullptr;
  int64_t owed_since_ = 0;

  bool in_turn_ = false;
  uint32_t turn_ = 1;
  bool handles_signals_ = false;
  unsigned long running_thread_ = 0;
  int waiting_for_callbacks_ = 0;
  std::mutex ran_mutex_;
  std::condition_variable ran_;

  static constexpr size_t kFreeHandles = 1024;
  std::vector<Handle*> free_handles_;
  std::vector<Handle*> free_timer_handles_;

  // What watchdogs look at, made with the first one; `watched_` is the same while there are any.
  std::shared_ptr<Heartbeat> heartbeat_;
  Heartbeat* watched_ = nullptr;
  PyThreadState* running_state_ = nullptr;

  bool measures_ = false;
  std::unique_ptr<Timings> timings_;
};

}  // namespace mainspring
