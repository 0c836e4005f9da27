// WorkQueue: what the threads of a ThreadPoolExecutor wait on, in place of its queue and its semaphore of idle threads.
//
// The pool and its threads are the standard library's own: how they are named, started, joined at exit and told to end
// is its code. Its workers call get() for the next work item. For the pool's own items (anything put by submit() or
// shutdown()) it returns; Calls it runs right here, one after another, without a return to Python in between.
//
// Wake-ups are what costs, so there are as few as possible without ever holding back anything:
//
// - At most one worker at a time is `coming_`, woken and on its way to the GIL. It takes one item at a time for as long
//   as there are any; when it leaves others behind it first wakes the next worker. So many short calls cost two
//   wake-ups, and one that blocks, which lets go of the GIL, holds nobody back.
// - Results go to the loop's ready queue at once, and the loop is woken when the worker has let go of the GIL, which
// the
//   loop needs. A worker that goes on with another item leaves this to the one that is coming: it gets the GIL before
//   the loop could have. If none is coming, the loop is woken before the item runs.
// - One idle worker spins before it sleeps, where that has paid lately, and so does a loop that waits for a Call. For a
//   task that awaits one short call after another nobody has to be woken.
//
// The GIL protects everything; no lock is ever held across a fork. Owned by its Python object (bind_executor.cpp),
// which the pool and each worker hold.
#pragma once

#include <atomic>
#include <vector>

#include "executor/call.hpp"
#include "loop/ready_queue.hpp"
#include "loop/sleeper.hpp"
#include "loop/spinning.hpp"

namespace mainspring {

class WorkQueue {
 public:
  WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;
  ~WorkQueue();

  // Appends; takes over a Call or a reference, also when it throws std::bad_alloc. `loop`, where given, is running and
  // wakes the worker when it lets go of the GIL.
  void put(Call* call, Loop* loop = nullptr);
  void put(PyObject* stolen);

  // For the workers: runs Calls until there is another item, and returns that.
  PyObject* get();

  // The next item without running or waiting: sets one of the two; neither when the queue is empty.
  void take_next(Call** call, PyObject** object);

  // Whether, with so many items more, an idle worker is left for each one that waits.
  bool has_worker_for(size_t more) const { return items_.size() + more <= idle_.size() + coming_; }

  size_t size() const { return items_.size(); }

  // True once in a forked child: none of the threads exist there, and the items are the parent's.
  bool forget_after_fork();

  int visit(visitproc visit, void* argument);
  void clear();

 private:
  enum Kind : unsigned { kCall, kObject };

  ReadyItem take();
  void wake_one(Loop* loop = nullptr);
  void wait();
  void run(Call* call);
  void wake_loop();
  void let_others_run();

  ReadyQueue items_;
  // The last one is woken first: the one that spins, or that became idle last and has the warmest caches.
  std::vector<Sleeper*> idle_;
  size_t coming_ = 0;

  SpinPolicy spin_policy_;
  std::atomic<bool> spinning_ = false;  // is set back without the GIL

  // The loop that has results and has not been woken since; keeps it alive.
  Loop* unaware_ = nullptr;
  Ref unaware_object_;

  unsigned forks_;
};

}  // namespace mainspring
