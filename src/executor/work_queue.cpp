#include "executor/work_queue.hpp"

#include <pthread.h>

#include <atomic>
#include <memory>
#include <new>

#include "loop/cycle_clock.hpp"

namespace mainspring {

namespace {

// How long a worker keeps the GIL for calls of builtin functions, in which Python never looks whether somebody else
// wants it: less than the switch interval, after which the others ask.
constexpr int64_t kKeepsGil = 50 * kCyclesInTensOfMicroseconds;

// How often this process and its ancestors have been forked since the module was loaded.
std::atomic<unsigned> forks{0};

unsigned count_forks() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  return forks.load(std::memory_order_relaxed);
}

}  // namespace

WorkQueue::WorkQueue() : forks_(count_forks()) {}

WorkQueue::~WorkQueue() { clear(); }

void WorkQueue::put(Call* call, Loop* loop) {
  try {
    items_.push(ReadyItem(call, kCall));
  } catch (...) {
    call->drop();
    throw;
  }
  wake_one(loop);
}

void WorkQueue::put(PyObject* stolen) {
  forget_after_fork();
  try {
    items_.push(ReadyItem(stolen, kObject));
  } catch (...) {
    Py_DECREF(stolen);
    throw;
  }
  wake_one();
}

void WorkQueue::wake_one(Loop* loop) {
  if (coming_ > 0 || idle_.empty()) return;
  Sleeper* worker = idle_.back();
  idle_.pop_back();
  ++coming_;
  if (loop) {
    loop->wake_soon(*worker);
  } else {
    worker->wake();
  }
}

ReadyItem WorkQueue::take() {
  const ReadyItem item = items_.pop();
  if (!items_.empty()) wake_one();
  return item;
}

void WorkQueue::take_next(Call** call, PyObject** object) {
  forget_after_fork();
  if (items_.empty()) return;
  const ReadyItem item = take();
  if (item.kind() == kCall) {
    *call = item.as<Call>();
  } else {
    *object = item.as<PyObject>();
  }
}

PyObject* WorkQueue::get() {
  int64_t since = cycles();
  for (;;) {
    forget_after_fork();
    if (items_.empty()) {
      wait();
      since = cycles();
      continue;
    }
    const ReadyItem item = take();
    if (coming_ == 0 || item.kind() == kObject) wake_loop();
    if (item.kind() == kObject) return item.as<PyObject>();
    run(item.as<Call>());
    if (cycles() - since > kKeepsGil) {
      let_others_run();
      since = cycles();
    }
  }
}

void WorkQueue::run(Call* call) {
  Ref object;
  Loop* loop = Call::run(call, &object);
  if (!loop || loop == unaware_) return;
  wake_loop();
  unaware_ = loop;
  unaware_object_ = std::move(object);
}

void WorkQueue::wake_loop() {
  Loop* loop = std::exchange(unaware_, nullptr);
  if (!loop) return;
  const Ref object = std::move(unaware_object_);
  loop->wake_if_waiting();
}

void WorkQueue::wait() {
  const bool spins = !spinning_ && spin_policy_.should_spin();
  Sleeper self(spins);
  idle_.insert(idle_.end() - (spinning_ && !idle_.empty()), &self);
  if (spins) spinning_ = true;
  Loop* loop = std::exchange(unaware_, nullptr);
  if (loop) {
    const Ref object = std::move(unaware_object_);
    if (!loop->claim_wake()) loop = nullptr;
  }
  PyThreadState* thread = PyEval_SaveThread();
  if (loop) loop->send_wake();
  bool in_time = false;
  if (spins) {
    in_time = self.spin();
    spinning_ = false;
  }
  self.sleep();
  PyEval_RestoreThread(thread);
  if (spins) spin_policy_.spun(in_time);
  --coming_;
  // What a worker left that now blocks.
  wake_loop();
}

void WorkQueue::let_others_run() { PyEval_RestoreThread(PyEval_SaveThread()); }

bool WorkQueue::forget_after_fork() {
  const unsigned now = forks.load(std::memory_order_relaxed);
  if (now == forks_) [[likely]]
    return false;
  forks_ = now;
  idle_.clear();
  coming_ = 0;
  spinning_ = false;
  clear();
  return true;
}

int WorkQueue::visit(visitproc visit, void* arg) {
  Py_VISIT(unaware_object_.get());
  for (size_t i = 0; i < items_.size(); ++i) {
    const ReadyItem item = items_.at(i);
    const int result = item.kind() == kCall ? item.as<Call>()->visit(visit, arg) : visit(item.as<PyObject>(), arg);
    if (result) return result;
  }
  return 0;
}

void WorkQueue::clear() {
  unaware_ = nullptr;
  unaware_object_.reset();
  while (!items_.empty()) {
    const ReadyItem item = items_.pop();
    if (item.kind() == kCall) {
      item.as<Call>()->drop();
    } else {
      Py_DECREF(item.as<PyObject>());
    }
  }
}

}  // namespace mainspring
