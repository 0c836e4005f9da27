#include "streams/pipe_writer.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "python/buffer.hpp"

namespace mainspring {

const IoKind PipeWriter::kKind = {run_start, flush, Transport::loop_closes, begin, close_descriptor, nullptr};

PyObject* PipeWriter::make(Loop* loop, PyObject* pipe, int fd, PyObject* protocol, PyObject* waiter, PyObject* extra,
                           bool watches_reader) {
  PyTypeObject* type = loop->state().pipe_writer_type;
  const Ref made = Ref::steal(type->tp_alloc(type, 0));
  if (!made) return nullptr;
  PipeWriter* self = from(made.get());
  new (&self->flow_) FlowControl();
  new (&self->queue_) WriteQueue<Ref>();
  self->watches_reader_ = watches_reader;
  self->io_.open_kind = OpenKind::kPipeWriter;
  if (!self->set_up(loop, &kKind, protocol, fd, extra, nullptr, waiter)) return nullptr;
  if (PyDict_SetItem(self->extra, self->names().pipe, pipe) < 0) return nullptr;
  if (!self->schedule_start()) return nullptr;
  self->pipe_ = Py_NewRef(pipe);
  return Py_NewRef(made.get());
}

int PipeWriter::begin(IoObject* io) {
  PipeWriter* self = from(io);
  return self->update_interest() ? 0 : self->fatal_error("Fatal error: the pipe cannot be watched");
}

bool PipeWriter::update_interest() {
  if (!started_) return true;
  const bool reads = watches_reader_ && !lost() && !(closing_ && queue_.empty());
  const bool writes = !queue_.empty() && !io_.flush_pending && !lost();
  return watch((reads ? uv::Poller::kReadable : 0) | (writes ? uv::Poller::kWritable : 0), serve);
}

int PipeWriter::serve(void* owner, int events) {
  auto* self = static_cast<PipeWriter*>(owner);
  const Ref alive = Ref::borrow(self->object());
  const int64_t started = self->loop_->debug ? self->loop_->duration_clock() : 0;
  int status = 0;
  if (!self->loop_->enter_context(self->context_)) return self->fatal_error("Fatal write error on pipe transport");
  if (events & uv::Poller::kReadable) status = self->reader_gone();
  if (status == 0 && (events & uv::Poller::kWritable) && !self->lost() && self->open_) {
    status = self->send_queued();
    if (status == 0 && !self->lost()) status = self->flow_.maybe_resume(self, self->queue_.size());
  }
  if (status == 0 && self->loop_->debug) status = self->loop_->report_slow(self->object(), started);
  return status;
}

int PipeWriter::reader_gone() {
  if (lost() || !open_) return 0;
  if (log_info("%r was closed by peer") < 0) return -1;
  if (queue_.empty()) return close_with(Py_None);
  const Ref broken = Ref::steal(PyObject_CallNoArgs(PyExc_BrokenPipeError));
  return broken ? close_with(broken.get()) : -1;
}

PyObject* PipeWriter::write(PyObject* self, PyObject* data) {
  PipeWriter* writer = from(self);
  if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
    PyErr_SetObject(PyExc_AssertionError, Ref::steal(PyObject_Repr(data)).get());
    return nullptr;
  }
  const int holds_data = PyObject_IsTrue(data);
  if (holds_data <= 0) return holds_data < 0 ? nullptr : none();
  // A late write's data is not looked at, and so may be a view with gaps.
  if (writer->lost() || writer->closing_) return writer->count_late_write() < 0 ? nullptr : none();
  Buffer buffer;
  if (!buffer.get(data, PyBUF_SIMPLE)) return writer->refuse_data() < 0 ? nullptr : none();
  if (buffer.size() == 0) return none();
  // What is not bytes may change after write() has returned.
  Ref keeper = PyBytes_CheckExact(data)
                   ? Ref::borrow(data)
                   : Ref::steal(PyBytes_FromStringAndSize(buffer.data(), static_cast<Py_ssize_t>(buffer.size())));
  if (!keeper) return nullptr;
  const char* bytes = PyBytes_AS_STRING(keeper.get());
  const size_t waited = writer->queue_.size();
  writer->queue_.push(bytes, buffer.size(), std::move(keeper));
  int status = 0;
  if (writer->loop_->closed) {
    status = writer->write_without_loop(waited);
  } else if (writer->waits_for_reader()) {
    status = writer->flow_.maybe_pause(writer, writer->queue_.size());
  } else if (writer->loop_->in_turn() && writer->queue_.size() <= std::min(writer->flow_.high(), kGatherLimit)) {
    writer->loop_->flush_later(&writer->io_, writer->queue_.size() - waited);
  } else {
    status = writer->send_queued();
  }
  return status < 0 ? nullptr : none();
}

// With the exception for a view with gaps set. On the default loop os.write() raises it, which is a failure of the
// pipe; while something waits, the two cannot be joined, which is the caller's.
int PipeWriter::refuse_data() {
  {
    const SavedException saved;
    if (flush(&io_) < 0) return -1;
  }
  if (!queue_.empty()) {
    PyErr_SetString(PyExc_TypeError, "can't concat memoryview to bytearray");
    return -1;
  }
  ++late_writes_;
  return fatal_error("Fatal write error on pipe transport");
}

// The default loop's pipes count otherwise than its sockets: closing is no reason to warn one write earlier.
int PipeWriter::count_late_write() {
  if (late_writes_++ < kSilentLateWrites) return 0;
  const Ref logged = Ref::steal(PyObject_CallMethod(loop_object_, "_log_warning", "s",
                                                    "pipe closed by peer or os.write(pipe, data) raised exception."));
  return logged ? 0 : -1;
}

// A closed loop sends what the kernel takes at once, and cannot wait for the rest.
int PipeWriter::write_without_loop(size_t waited) {
  if (waited) return flow_.maybe_pause(this, queue_.size());
  if (send_queued() < 0) return -1;
  if (queue_.empty() || lost()) return 0;
  queue_.clear();
  return loop_->check_open() ? 0 : -1;
}

int PipeWriter::flush(IoObject* io) {
  PipeWriter* self = from(io);
  if (self->queue_.empty() || self->loop_->closed || !self->open_ || self->lost() || self->waits_for_reader()) return 0;
  return self->send_queued();
}

int PipeWriter::send_queued() {
  while (!queue_.empty()) {
    iovec vectors[kMostVectors];
    const int count = queue_.gather(vectors, kMostVectors);
    const ssize_t sent = ::writev(fd_, vectors, count);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) break;
      PyErr_SetFromErrno(PyExc_OSError);
      queue_.clear();
      ++late_writes_;
      return fatal_error("Fatal write error on pipe transport");
    }
    loop_->sent(static_cast<size_t>(sent));
    queue_.consume(static_cast<size_t>(sent));
  }
  if (loop_->closed && !queue_.empty()) return 0;
  if (!update_interest()) return fatal_error("Fatal write error on pipe transport");
  if (!queue_.empty()) return flow_.maybe_pause(this, queue_.size());
  if (flow_.maybe_resume(this, 0) < 0) return -1;
  return closing_ && queue_.empty() && !lost() ? close_with(Py_None) : 0;
}

int PipeWriter::close_with(PyObject* exception) {
  if (lost()) return 0;
  closing_ = true;
  queue_.clear();
  close_poller();
  return lose(exception);
}

int PipeWriter::fatal_error(const char* message) {
  const Ref exception = take_fatal_error(message, true);
  if (!exception) return -1;
  const HandledException handled(exception.get());
  return close_with(exception.get());
}

PyObject* PipeWriter::can_write_eof(PyObject*, PyObject*) { Py_RETURN_TRUE; }

PyObject* PipeWriter::write_eof(PyObject* self, PyObject*) {
  PipeWriter* writer = from(self);
  if (writer->closing_) return none();
  if (flush(&writer->io_) < 0) return nullptr;
  if (writer->closing_) return none();
  writer->closing_ = true;
  if (!writer->queue_.empty()) return none();
  return writer->close_with(Py_None) < 0 ? nullptr : none();
}

PyObject* PipeWriter::abort(PyObject* self, PyObject*) {
  PipeWriter* writer = from(self);
  if (flush(&writer->io_) < 0) return nullptr;
  return writer->close_with(Py_None) < 0 ? nullptr : none();
}

PyObject* PipeWriter::get_write_buffer_size(PyObject* self, PyObject*) {
  PipeWriter* writer = from(self);
  if (flush(&writer->io_) < 0) return nullptr;
  return PyLong_FromSize_t(writer->queue_.size());
}

PyObject* PipeWriter::get_write_buffer_limits(PyObject* self, PyObject*) { return from(self)->flow_.limits(); }

PyObject* PipeWriter::set_write_buffer_limits(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  PipeWriter* writer = from(self);
  if (!writer->flow_.set_limits(args, count, keywords)) return nullptr;
  if (flush(&writer->io_) < 0) return nullptr;
  return writer->flow_.maybe_pause(writer, writer->queue_.size()) < 0 ? nullptr : none();
}

PyObject* PipeWriter::repr(PyObject* self) {
  PipeWriter* writer = from(self);
  if (!writer->open_) return PyUnicode_FromFormat("<PipeWriter closed fd=%d closed>", writer->fd_);
  const char* state = writer->closing_ ? " closing" : "";
  if (writer->loop_->closed) return PyUnicode_FromFormat("<PipeWriter%s fd=%d open>", state, writer->fd_);
  if (writer->io_.flush_pending && writer->loop_->runs_here() && flush(&writer->io_) < 0) return nullptr;
  return PyUnicode_FromFormat("<PipeWriter%s fd=%d %s bufsize=%zu>", state, writer->fd_,
                              writer->waits_for_reader() ? "polling" : "idle", writer->queue_.size());
}

void PipeWriter::close_descriptor(IoObject* io) {
  PipeWriter* self = from(io);
  self->close_file(&self->pipe_);
}

int PipeWriter::clear(PyObject* self) {
  PipeWriter* writer = from(self);
  writer->queue_.clear();
  writer->clear_common();
  Py_CLEAR(writer->pipe_);
  return 0;
}

int PipeWriter::traverse(PyObject* self, visitproc visit, void* arg) {
  PipeWriter* writer = from(self);
  Py_VISIT(writer->pipe_);
  if (const int result = writer->visit_common(visit, arg)) return result;
  return writer->queue_.visit([&](const Ref& keeper) { return visit(keeper.get(), arg); });
}

void PipeWriter::dealloc(PyObject* self) {
  if (!begin_dealloc(self)) return;
  clear(self);
  from(self)->queue_.~WriteQueue();
  end_dealloc(self);
}

}  // namespace mainspring
