// run_in_executor(), and the queue of its threads as Python sees it.
#include <cstddef>
#include <memory>
#include <new>

#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "executor/work_queue.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

struct WorkQueueObject {
  PyObject_HEAD WorkQueue* queue;
  PyObject* weak_references;
};

WorkQueue* queue_of(PyObject* self) { return reinterpret_cast<WorkQueueObject*>(self)->queue; }

// A Call on its way through code of ThreadPoolExecutor: as an item of its queue it can be run, and its `future`,
// itself, be cancelled.
//
// pybind11 does not expect an allocation to fail, hence `allocate`.
class PendingCall {
 public:
  explicit PendingCall(Call* call) : call_(call) {}
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;
  ~PendingCall() {
    if (Call* call = release()) call->drop();
  }

  Call* release() { return std::exchange(call_, nullptr); }

  // Runs or cancels it, once.
  void finish(Loop* (*how)(Call*, Ref*)) {
    Call* call = release();
    if (!call) return;
    Ref object;
    if (Loop* loop = how(call, &object)) loop->wake_if_waiting();
  }

 private:
  Call* call_;
};

// In the place of tp_alloc, which pybind11 calls when a PendingCall becomes a Python object.
PyObject* allocate(PyTypeObject* type, Py_ssize_t count) {
  PyObject* made = PyType_GenericAlloc(type, count);
  if (made) return made;
  PyErr_Clear();
  throw std::bad_alloc();
}

// --- the queue
// ---------------------------------------------------------------------------------------------------------

PyObject* new_queue(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  if (PyTuple_GET_SIZE(args) > 0 || (keywords && PyDict_GET_SIZE(keywords) > 0)) {
    return PyErr_Format(PyExc_TypeError, "WorkQueue() takes no arguments");
  }
  auto* self = reinterpret_cast<WorkQueueObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  const Ref object = Ref::steal(reinterpret_cast<PyObject*>(self));
  return guarded([&] {
    self->queue = new WorkQueue();
    return Py_NewRef(object.get());
  });
}

void dealloc_queue(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (reinterpret_cast<WorkQueueObject*>(self)->weak_references) PyObject_ClearWeakRefs(self);
  delete std::exchange(reinterpret_cast<WorkQueueObject*>(self)->queue, nullptr);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse_queue(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return queue_of(self) ? queue_of(self)->visit(visit, arg) : 0;
}

int clear_queue(PyObject* self) {
  if (queue_of(self)) queue_of(self)->clear();
  return 0;
}

PyObject* put(PyObject* self, PyObject* item) {
  return guarded([&] {
    PendingCall* pending = nullptr;
    if (py::isinstance<PendingCall>(item)) pending = py::handle(item).cast<PendingCall*>();
    if (Call* call = pending ? pending->release() : nullptr) {
      queue_of(self)->put(call);
    } else {
      queue_of(self)->put(Py_NewRef(item));
    }
    return none();
  });
}

// get(block=True): only ever waits, as the workers ask it to.
PyObject* get(PyObject* self, Arguments, Py_ssize_t, PyObject*) {
  const Ref alive = Ref::borrow(self);
  return guarded([&] { return queue_of(self)->get(); });
}

PyObject* get_nowait(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Call* call = nullptr;
    PyObject* object = nullptr;
    queue_of(self)->take_next(&call, &object);
    if (object) return object;
    if (call) {
      auto pending = std::make_unique<PendingCall>(call);
      try {
        return py::cast(std::move(pending)).release().ptr();
      } catch (const std::bad_alloc&) {
        // The thread goes on with get(), which runs it without such an object.
        queue_of(self)->put(pending->release());
      }
    }
    const Ref module = Ref::steal(PyImport_ImportModule("queue"));
    const Ref empty = module ? Ref::steal(PyObject_GetAttrString(module.get(), "Empty")) : Ref();
    if (empty) PyErr_SetNone(empty.get());
    return nullptr;
  });
}

PyObject* qsize(PyObject* self, PyObject*) { return PyLong_FromSize_t(queue_of(self)->size()); }

PyObject* is_empty(PyObject* self, PyObject*) { return PyBool_FromLong(queue_of(self)->size() == 0); }

PyObject* acquire(PyObject* self, Arguments, Py_ssize_t, PyObject*) {
  return PyBool_FromLong(queue_of(self)->has_worker_for(0));
}

PyObject* release(PyObject*, PyObject*) { return none(); }

PyMethodDef queue_methods[] = {
    single_method("put", put, "Appends an item."),
    keyword_method("get", get,
                   "get(block=True): for the pool's threads: runs native calls until there is another item."),
    bare_method("get_nowait", get_nowait, "Takes the first item; queue.Empty when there is none."),
    bare_method("qsize", qsize, "How many items wait."),
    bare_method("empty", is_empty, "Whether no item waits."),
    keyword_method("acquire", acquire, "acquire(timeout=0): whether an idle thread is left for each item that waits."),
    bare_method("release", release, "Does nothing: get() knows which threads are idle."),
    {},
};

PyMemberDef queue_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(WorkQueueObject, weak_references), READONLY, nullptr},
    {},
};

constexpr const char* kQueueDoc =
    "What the threads of the loop's pool wait on, in place of the queue and the idle semaphore of ThreadPoolExecutor.";

PyType_Slot queue_slots[] = {
    {Py_tp_doc, const_cast<char*>(kQueueDoc)},
    {Py_tp_new, reinterpret_cast<void*>(new_queue)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc_queue)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse_queue)},
    {Py_tp_clear, reinterpret_cast<void*>(clear_queue)},
    {Py_tp_methods, queue_methods},
    {Py_tp_members, queue_members},
    {0, nullptr},
};

PyType_Spec queue_spec = {"mainspring._core.WorkQueue", sizeof(WorkQueueObject), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, queue_slots};

// --- the loop's method
// -------------------------------------------------------------------------------------------------

// What the pools made so far need; imported with the first one. False with an exception set.
bool load_pools(ModuleState& state) {
  if (state.thread_pool) return true;
  const Ref module = Ref::steal(PyImport_ImportModule("mainspring._executor"));
  if (!module) return false;
  // The import lets other threads run, and a loop of one of them may have been first.
  if (state.thread_pool) return true;
  state.thread_pool_submit = PyObject_GetAttrString(module.get(), "SUBMIT");
  state.thread_pool_module = PyObject_GetAttrString(module.get(), "THREAD_MODULE");
  state.make_pool = PyObject_GetAttrString(module.get(), "make_pool");
  state.add_call = PyObject_GetAttrString(module.get(), "add_call");
  state.thread_pool = reinterpret_cast<PyTypeObject*>(PyObject_GetAttrString(module.get(), "POOL"));
  return state.thread_pool && state.thread_pool_submit && state.thread_pool_module && state.make_pool && state.add_call;
}

// The queue of a pool that make_pool() made, of which nothing has been replaced since and which takes calls. Otherwise
// nullptr, with an exception set or without: the call goes through the pool's submit(), as on the default loop.
Ref usable_queue(Loop* loop, PyObject* pool) {
  ModuleState& state = loop->state();
  Names& names = state.names;
  if (Py_TYPE(pool) != state.thread_pool) return Ref();
  Ref queue = Ref::steal(PyObject_GetAttr(pool, names._work_queue));
  if (!queue || Py_TYPE(queue.get()) != state.work_queue_type) return Ref();
  const Ref submit = Ref::steal(PyObject_GetAttr(pool, names.submit));
  if (!submit || !PyMethod_Check(submit.get()) || PyMethod_GET_FUNCTION(submit.get()) != state.thread_pool_submit) {
    return Ref();
  }
  const Ref shut_down = Ref::steal(PyObject_GetAttr(pool, names._shutdown));
  if (shut_down.get() != Py_False) return Ref();
  if (PyDict_GetItemWithError(state.thread_pool_module, names._shutdown) != Py_False) return Ref();
  return queue;
}

// Whether the pool may start another thread. False with an exception set or without.
bool may_grow(PyObject* pool, PyObject* threads, Names& names) {
  const Ref limit = Ref::steal(PyObject_GetAttr(pool, names._max_workers));
  if (!limit) return false;
  const Py_ssize_t most = PyNumber_AsSsize_t(limit.get(), nullptr);
  const Py_ssize_t now = PyObject_Size(threads);
  return now >= 0 && !PyErr_Occurred() && now < most;
}

// Puts the Call into the queue; starts a thread as ThreadPoolExecutor.submit() would. False with an exception set.
bool submit(Loop* loop, PyObject* pool, WorkQueue* queue, Call* call) {
  const bool forked = queue->forget_after_fork();
  if (forked || !queue->has_worker_for(1)) {
    auto pending = std::make_unique<PendingCall>(call);
    const Ref threads = Ref::steal(PyObject_GetAttr(pool, loop->names()._threads));
    // The parent's threads do not exist here.
    if (!threads || (forked && PySet_Clear(threads.get()) < 0)) return false;
    if (may_grow(pool, threads.get(), loop->names())) {
      const py::object object = py::cast(std::move(pending));
      const Ref added = Ref::steal(PyObject_CallFunctionObjArgs(loop->state().add_call, pool, object.ptr(), nullptr));
      return static_cast<bool>(added);
    }
    if (PyErr_Occurred()) return false;
    pending->release();
  }
  queue->put(call, loop);
  return true;
}

PyObject* run_in_base(Loop* loop, Arguments args, Py_ssize_t count, PyObject* keywords) {
  const Py_ssize_t all = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
  std::vector<PyObject*> values{loop->self()};
  values.insert(values.end(), args, args + all);
  return PyObject_Vectorcall(loop->state().base_run_in_executor, values.data(), static_cast<size_t>(count) + 1,
                             keywords);
}

// The loop's default executor, made if there is none yet: a borrowed reference, nullptr with an exception set.
PyObject* default_executor(Loop* loop) {
  if (!loop->default_executor || loop->default_executor == Py_None) {
    if (!load_pools(loop->state())) return nullptr;
    PyObject* pool = PyObject_CallNoArgs(loop->state().make_pool);
    if (!pool) return nullptr;
    Py_XSETREF(loop->default_executor, pool);
  }
  return loop->default_executor;
}

// run_in_executor(executor, func, *args). What is not for the loop's own pool goes the default loop's way.
PyObject* run_in_executor(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  return guarded([&]() -> PyObject* {
    if (keywords || count < 2 || args[0] != Py_None || loop->closed || loop->executor_shutdown_called) {
      return run_in_base(loop, args, count, keywords);
    }
    if (loop->debug && !loop->check_debug(args[1], "run_in_executor", false)) return nullptr;
    const Ref pool = Ref::borrow(default_executor(loop));
    if (!pool) return nullptr;
    const Ref queue = usable_queue(loop, pool.get());
    if (!queue) return PyErr_Occurred() ? nullptr : run_in_base(loop, args, count, keywords);
    Ref future = Ref::steal(PyObject_CallMethodNoArgs(self, loop->names().create_future));
    if (!future) return nullptr;
    Call* call = Call::make(loop, future.get(), args + 1, count - 1);
    if (!call || !submit(loop, pool.get(), queue_of(queue.get()), call)) return nullptr;
    return future.release();
  });
}

}  // namespace

PyMethodDef executor_methods_of_loop[] = {
    keyword_method("run_in_executor", run_in_executor,
                   "run_in_executor(executor, func, *args): calls the function in the executor, in a thread of the "
                   "loop's own pool when that is None; returns a Future."),
    {},
};

void bind_executor(py::module_& module, ModuleState& state) {
  state.work_queue_type = make_type(module, queue_spec);
  const auto set_up = [](PyHeapTypeObject* type) { type->ht_type.tp_alloc = allocate; };
  py::class_<PendingCall>(module, "PendingCall", py::custom_type_setup(set_up),
                          "A call that has not begun, in the hands of its pool.")
      .def("run", [](PendingCall& call, const py::args&) { call.finish(Call::run); })
      .def("cancel", [](PendingCall& call) { call.finish(Call::cancel); })
      .def_property_readonly("future", [](py::object self) { return self; });
}

}  // namespace mainspring
