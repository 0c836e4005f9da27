// The life of a Loop: made, closed, visited by the collector; and what it keeps of I/O objects.
#include "loop/loop.hpp"

#include <pybind11/pybind11.h>

#include <cstdlib>
#include <new>
#include <thread>

namespace mainspring {

namespace {

constexpr size_t kPageSize = 4096;

// glibc gives the top of the heap back to the kernel as soon as 128 KiB of it are free, and a server that receives and
// sends 100 KiB at a time would have it taken and given page by page in every turn: two thirds of its time. The limit
// grows by itself to twice the size of the largest block that was ever mapped and freed, so one is.
void let_the_heap_keep_its_top() {
  static const bool once = [] {
    void* volatile block = std::malloc(1024 * 1024);
    std::free(block);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

Loop::Loop(ModuleState& state)
    : state_(state),
      module_(Ref::borrow(state.module)),
      uv_(std::make_unique<uv::EventLoop>()),
      waker_(std::make_unique<Waker>(*uv_)),
      descriptors_(*this),
      waits_(*this),
      process_exits_(*this),
      // A buffer this large from malloc lies 16 bytes past a page, where copying is many times slower on some
      // processors.
      read_buffer_(static_cast<char*>(std::aligned_alloc(kPageSize, kReadBufferSize))),
      contexts_(state.context_layout_is_known) {
  if (!read_buffer_) throw std::bad_alloc();
  let_the_heap_keep_its_top();
  uv_->renew_with(this, [](void* owner) { static_cast<Loop*>(owner)->renew_descriptors(); });
}

void Loop::renew_descriptors() {
  waker_->renew();
  signal_pipe_.renew();
  // The threads that were about to wake the loop are the parent's.
  wakes_claimed_.store(0);
  calls_under_way = 0;
  waiting_for_callbacks_ = 0;
}

Loop::~Loop() {
  close();
  if (heartbeat_) heartbeat_->loop = nullptr;
  for (Handle* handle : free_handles_) free_handle(handle);
  for (Handle* handle : free_timer_handles_) free_handle(handle);
  Py_CLEAR(thread_id);
  Py_CLEAR(task_factory);
  Py_CLEAR(current_handle);
  Py_CLEAR(default_executor);
}

std::shared_ptr<Heartbeat> Loop::watch() {
  if (!heartbeat_) heartbeat_ = std::make_shared<Heartbeat>(this);
  if (heartbeat_->watchdogs++ == 0) {
    watched_ = heartbeat_.get();
    // What is being served at the moment is not known.
    if (in_turn_) watched_->busy();
  }
  return heartbeat_;
}

void Loop::unwatch(Heartbeat& heartbeat) {
  if (--heartbeat.watchdogs > 0) return;
  heartbeat.idle();
  heartbeat.forget();
  if (heartbeat.loop) heartbeat.loop->watched_ = nullptr;
}

Loop* Loop::from(PyObject* self) {
  // pybind11 keeps the C++ object of a class without multiple C++ bases in the first slot of its instance.
  auto* loop = static_cast<Loop*>(reinterpret_cast<pybind11::detail::instance*>(self)->simple_value_holder[0]);
  if (loop) [[likely]]
    return loop;
  PyErr_SetString(PyExc_RuntimeError, "the loop was not initialized: Loop.__init__() has not been called");
  return nullptr;
}

void Loop::hold(IoObject* io) {
  if (io->held) return;
  io->held = true;
  counters.opened(io->open_kind);
  Py_INCREF(io->object);
  io->previous = nullptr;
  io->next = active_;
  if (active_) active_->previous = io;
  active_ = io;
}

void Loop::release(IoObject* io) {
  if (!io->held) return;
  io->held = false;
  counters.closed(io->open_kind);
  // Somebody may be about to learn that the connection has ended.
  if (virtual_time_) expect_events();
  if (io->previous) {
    io->previous->next = io->next;
  } else {
    active_ = io->next;
  }
  if (io->next) io->next->previous = io->previous;
  Py_DECREF(io->object);
}

void Loop::set_transport(int fd, PyObject* transport) {
  const auto index = static_cast<size_t>(fd);
  if (transport && index >= transports_.size()) transports_.resize(index + 64, nullptr);
  if (index < transports_.size()) transports_[index] = transport;
  if (!transport) return waits_.let_go(fd);
  forget_registered(fd);
}

void Loop::forget_registered(int fd) {
  descriptors_.forget_stale(fd);
  waits_.forget(fd);
}

PyObject* Loop::transport_of(int fd) const {
  const auto index = static_cast<size_t>(fd);
  return index < transports_.size() ? transports_[index] : nullptr;
}

PyObject* Loop::open_transports() const {
  Ref list = Ref::steal(PyList_New(0));
  if (!list) return nullptr;
  for (size_t fd = 0; fd < transports_.size(); ++fd) {
    if (transports_[fd] && PyList_Append(list.get(), transports_[fd]) < 0) return nullptr;
  }
  return list.release();
}

bool Loop::check_no_transport(long number, PyObject* file) {
  PyObject* transport = number >= 0 && number <= INT_MAX ? transport_of(static_cast<int>(number)) : nullptr;
  if (!transport) return true;
  const Ref closing = Ref::steal(PyObject_CallMethodNoArgs(transport, names().is_closing));
  if (!closing) return false;
  if (closing.get() == Py_True) return true;
  PyErr_Format(PyExc_RuntimeError, "File descriptor %R is used by transport %R", file, transport);
  return false;
}

void Loop::drop(ReadyItem item) {
  switch (item.kind()) {
    case kHandle: {
      auto* handle = item.as<Handle>();
      // Whoever keeps it may be part of a cycle through it.
      if (Py_REFCNT(handle) > 1 && !handle->tracked) handle->track();
      Py_DECREF(reinterpret_cast<PyObject*>(handle));
      break;
    }
    case kArrival:
      item.as<uv::Poller>()->take();
      break;
    case kCompletion:
      item.as<Completion>()->drop();
      break;
    default:
      Py_DECREF(item.as<IoObject>()->object);
  }
}

PyObject* Loop::as_keyword() {
  if (!as_keyword_) {
    Ref keyword = Ref::steal(PyDict_New());
    if (!keyword || PyDict_SetItem(keyword.get(), names().loop, self_) < 0) return nullptr;
    as_keyword_ = std::move(keyword);
  }
  return as_keyword_.get();
}

void Loop::drop_everything() {
  while (!ready_.empty()) drop(ready_.pop());
  while (TimerNode* node = timers_.pop_any()) {
    Py_DECREF(reinterpret_cast<PyObject*>(static_cast<TimerHandle*>(node)));
  }
  descriptors_.clear();
  waits_.clear();
  process_exits_.clear();
  while (!unflushed_.empty()) {
    IoObject* io = unflushed_.back();
    unflushed_.pop_back();
    io->flush_pending = false;
    Py_DECREF(io->object);
  }
  while (active_) {
    IoObject* io = active_;
    io->kind->loop_closes(io);
    release(io);
  }
}

void Loop::close() {
  if (!uv_) return;
  uv_->abandon();
  // Finalizers may schedule on a loop that is not marked as closed yet.
  closed = true;
  drop_everything();
  contexts_.clear();
  as_keyword_.reset();
  signal_pipe_.close();
  // A thread that has claimed a wake-up is about to send it. The threads of a forked child's parent never will.
  while (wakes_claimed_.load(std::memory_order_acquire) > 0 && !uv_->forked()) std::this_thread::yield();
  waker_.reset();
  uv_.reset();
  read_buffer_.reset();
  addresses_.reset();
}

int Loop::visit_handle(Handle* handle, visitproc visit, void* argument) {
  auto* object = reinterpret_cast<PyObject*>(handle);
  if (!handle->tracked && Py_REFCNT(object) == 1) return handle->visit_references(visit, argument);
  return visit(object, argument);
}

int Loop::traverse(visitproc visit, void* arg) {
  Py_VISIT(module_.get());
  Py_VISIT(as_keyword_.get());
  if (virtual_time_) Py_VISIT(virtual_time_->object());
  if (const int result = contexts_.visit(visit, arg)) return result;
  Py_VISIT(thread_id);
  Py_VISIT(task_factory);
  Py_VISIT(current_handle);
  Py_VISIT(default_executor);
  for (size_t i = 0; i < ready_.size(); ++i) {
    const ReadyItem item = ready_.at(i);
    int result = 0;
    if (item.kind() == kHandle) result = visit_handle(item.as<Handle>(), visit, arg);
    if (item.kind() == kStep) result = visit(item.as<IoObject>()->object, arg);
    if (item.kind() == kCompletion) result = item.as<Completion>()->visit(visit, arg);
    if (result) return result;
  }
  if (const int result =
          timers_.visit([&](TimerNode* node) { return visit_handle(static_cast<TimerHandle*>(node), visit, arg); })) {
    return result;
  }
  if (const int result = descriptors_.visit([&](Handle* handle) { return visit_handle(handle, visit, arg); })) {
    return result;
  }
  if (const int result = process_exits_.visit([&](Handle* handle) { return visit_handle(handle, visit, arg); })) {
    return result;
  }
  if (const int result = waits_.visit([&](PyObject* object) { return visit(object, arg); })) return result;
  for (IoObject* io : unflushed_) Py_VISIT(io->object);
  for (IoObject* io = active_; io; io = io->next) Py_VISIT(io->object);
  return 0;
}

void Loop::clear() {
  drop_everything();
  contexts_.clear();
  as_keyword_.reset();
  Py_CLEAR(task_factory);
  Py_CLEAR(current_handle);
  Py_CLEAR(default_executor);
}

}  // namespace mainspring
