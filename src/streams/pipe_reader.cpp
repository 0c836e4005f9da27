#include "streams/pipe_reader.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace mainspring {

const IoKind PipeReader::kKind = {run_start, nullptr, Transport::loop_closes, begin, close_descriptor, nullptr};

PyObject* PipeReader::make(Loop* loop, PyObject* pipe, int fd, PyObject* protocol, PyObject* waiter, PyObject* extra) {
  PyTypeObject* type = loop->state().pipe_reader_type;
  const Ref made = Ref::steal(type->tp_alloc(type, 0));
  if (!made) return nullptr;
  PipeReader* self = from(made.get());
  self->io_.open_kind = OpenKind::kPipeReader;
  if (!self->set_up(loop, &kKind, protocol, fd, extra, nullptr, waiter)) return nullptr;
  if (PyDict_SetItem(self->extra, self->names().pipe, pipe) < 0) return nullptr;
  if (!self->schedule_start()) return nullptr;
  self->pipe_ = Py_NewRef(pipe);
  struct stat status;
  self->is_pipe_ = fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
  return Py_NewRef(made.get());
}

int PipeReader::begin(IoObject* io) {
  PipeReader* self = from(io);
  if (self->update_interest()) return 0;
  // Some files cannot be polled, such as /dev/null. As on the default loop the transport stays open, without data.
  return self->loop_->report("Exception in callback add_reader()", self->object(), self->protocol_);
}

int PipeReader::serve(void* owner, int) {
  auto* self = static_cast<PipeReader*>(owner);
  const Ref alive = Ref::borrow(self->object());
  const int64_t started = self->loop_->debug ? self->loop_->duration_clock() : 0;
  int status = self->read();
  if (status == 0 && self->loop_->debug) status = self->loop_->report_slow(self->object(), started);
  return status;
}

int PipeReader::read() {
  if (!open_ || closing_ || paused_) return 0;
  char* buffer = loop_->read_buffer();
  const ssize_t size = ::read(fd_, buffer, Loop::kReadBufferSize);
  if (size < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return fatal_error("Fatal read error on pipe transport");
  }
  if (!loop_->enter_context(context_)) return fatal_error("Fatal read error on pipe transport");
  if (size == 0) return ended();
  loop_->counters.received(static_cast<size_t>(size));
  if (is_pipe_ && static_cast<size_t>(size) < Loop::kReadBufferSize) loop_->received_all();
  const Ref data = Ref::steal(PyBytes_FromStringAndSize(buffer, size));
  const Ref protocol = Ref::borrow(protocol_);
  const Ref result =
      data ? Ref::steal(PyObject_CallMethodOneArg(protocol.get(), names().data_received, data.get())) : Ref();
  // As on the default loop, an error of the protocol is reported and reading goes on.
  return result ? 0 : loop_->report("Exception in callback data_received()", object(), protocol.get());
}

int PipeReader::ended() {
  if (log_info("%r was closed by peer") < 0) return -1;
  closing_ = true;
  close_poller();
  const Ref eof_received = Ref::steal(PyObject_GetAttr(protocol_, names().eof_received));
  const Ref handle =
      eof_received ? Ref::steal(reinterpret_cast<PyObject*>(loop_->call_soon(eof_received.get(), nullptr, 0, context_)))
                   : Ref();
  if (!handle && loop_->report("Exception in callback eof_received()", object(), protocol_) < 0) return -1;
  return lose(Py_None);
}

int PipeReader::close_with(PyObject* exception) {
  if (lost()) return 0;
  closing_ = true;
  close_poller();
  return lose(exception);
}

int PipeReader::fatal_error(const char* message) {
  // EIO is how a terminal's end says that the other one is gone.
  const Ref exception = take_fatal_error(message, errno == EIO);
  if (!exception) return -1;
  const HandledException handled(exception.get());
  return close_with(exception.get());
}

PyObject* PipeReader::pause_reading(PyObject* self, PyObject*) {
  PipeReader* reader = from(self);
  if (reader->closing_ || reader->paused_) return none();
  reader->paused_ = true;
  reader->update_interest();
  return reader->log_debug("%r pauses reading") < 0 ? nullptr : none();
}

PyObject* PipeReader::resume_reading(PyObject* self, PyObject*) {
  PipeReader* reader = from(self);
  if (reader->closing_ || !reader->paused_) return none();
  reader->paused_ = false;
  if (!reader->loop_->check_open() || (reader->started_ && !reader->update_interest())) return nullptr;
  reader->loop_->expect_events();
  return reader->log_debug("%r resumes reading") < 0 ? nullptr : none();
}

PyObject* PipeReader::close(PyObject* self, PyObject*) {
  PipeReader* reader = from(self);
  if (reader->closing_) return none();
  return reader->close_with(Py_None) < 0 ? nullptr : none();
}

PyObject* PipeReader::repr(PyObject* self) {
  PipeReader* reader = from(self);
  if (!reader->open_) return PyUnicode_FromFormat("<PipeReader closed fd=%d closed>", reader->fd_);
  return PyUnicode_FromFormat("<PipeReader%s fd=%d %s>", reader->closing_ ? " closing" : "", reader->fd_,
                              reader->loop_->closed ? "open" : (reader->watched() ? "polling" : "idle"));
}

void PipeReader::close_descriptor(IoObject* io) {
  PipeReader* self = from(io);
  self->close_file(&self->pipe_);
}

int PipeReader::clear(PyObject* self) {
  from(self)->clear_common();
  Py_CLEAR(from(self)->pipe_);
  return 0;
}

int PipeReader::traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(from(self)->pipe_);
  return from(self)->visit_common(visit, arg);
}

void PipeReader::dealloc(PyObject* self) {
  if (!begin_dealloc(self)) return;
  clear(self);
  end_dealloc(self);
}

}  // namespace mainspring
