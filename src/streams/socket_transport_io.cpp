// How a SocketTransport reads and writes.
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "python/buffer.hpp"
#include "streams/reader_state.hpp"
#include "streams/socket_transport.hpp"
#include "system/no_signal.hpp"

namespace mainspring {

namespace {

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

int SocketTransport::serve(void* owner, int events) {
  auto* transport = static_cast<SocketTransport*>(owner);
  const Ref alive = Ref::borrow(transport->object());
  const int64_t started = transport->loop_->debug ? transport->loop_->duration_clock() : 0;
  int status = 0;
  transport->peer_ended_ = events & uv::Poller::kEnded;
  if (events & uv::Poller::kReadable) status = transport->read_arrival();
  if (status == 0 && (events & uv::Poller::kWritable)) status = transport->write_ready();
  if (status == 0 && transport->loop_->debug) {
    status = transport->loop_->report_slow(transport->object(), started);
  }
  return status;
}

// --- reading ---------------------------------------------------------------------------------------------------------

// A message of megabytes is received in pieces of the buffer. To take several at once leaves the peer's sending to the
// peer: each that is taken alone lets the kernel send the next in the course of it. In between nothing may come that
// would have had its turn: what the pieces make ready, the end of the loop's run, or what others wait for meanwhile. A
// buffer that the protocol gives is filled once: when it is full, asking for another is for the next arrival.
int SocketTransport::read_arrival() {
  const size_t ready = loop_->ready_count();
  int64_t deadline = 0;
  int pieces = 0;
  int status;
  do {
    filled_at_ = 0;
    status = read();
    if (filled_at_ && !deadline) deadline = filled_at_ + kPiecesTime;
  } while (status == 0 && filled_at_ && ++pieces < kMostPieces && loop_->ready_count() == ready && !loop_->stopping &&
           monotonic_ns() < deadline);
  return status;
}

int SocketTransport::read() {
  if (lost() || paused_ || closing_ || !open_) return 0;
  if (!loop_->enter_context(context_)) return fatal_error("Fatal read error on socket transport");
  if (sink_ && loop_->state().byte_sink.ready(protocol_)) return read_into_sink();
  return buffered_ ? read_into_protocol() : read_data();
}

int SocketTransport::read_into_sink() {
  char* buffer = loop_->read_buffer();
  const ssize_t size = recv(fd_, buffer, Loop::kReadBufferSize, MSG_DONTWAIT);
  if (size < 0) return reading_failed();
  if (size == 0) return received_eof();
  received(size, Loop::kReadBufferSize);
  if (loop_->state().byte_sink.take(protocol_, buffer, static_cast<size_t>(size))) return 0;
  return fatal_error("Fatal error: protocol.buffer_updated() call failed.");
}

void SocketTransport::received(ssize_t size, size_t room) {
  loop_->counters.received(static_cast<size_t>(size));
  if (static_cast<size_t>(size) >= room) [[unlikely]] {
    filled_at_ = monotonic_ns();
    return;
  }
  if (peer_ended_) return;
  io_.poller->emptied();
  loop_->received_all();
}

int SocketTransport::reading_failed() {
  if (would_block()) return 0;
  PyErr_SetFromErrno(PyExc_OSError);
  return fatal_error("Fatal read error on socket transport");
}

int SocketTransport::read_data() {
  if (stream_.protocol() == protocol_) {
    const Ref stream = stream_.find(loop_->state());
    if (stream) return read_into_stream(reinterpret_cast<ReaderState*>(stream.get()));
  }
  char* buffer = loop_->read_buffer();
  const ssize_t size = recv(fd_, buffer, Loop::kReadBufferSize, MSG_DONTWAIT);
  if (size < 0) return reading_failed();
  if (size == 0) return received_eof();
  received(size, Loop::kReadBufferSize);
  const Ref data = Ref::steal(PyBytes_FromStringAndSize(buffer, size));
  if (!data) return fatal_error("Fatal read error on socket transport");
  // Vectorcall may use the first element as scratch.
  PyObject* arguments[] = {nullptr, protocol_, data.get()};
  const Ref protocol = Ref::borrow(protocol_);
  const Ref result = Ref::steal(
      PyObject_VectorcallMethod(names().data_received, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  return result ? 0 : fatal_error("Fatal error: protocol.data_received() call failed.");
}

int SocketTransport::read_into_stream(ReaderState* stream) {
  char* buffer = loop_->read_buffer();
  const StreamBuffer::Space space = stream->waits_for_more() ? stream->buffer.space() : StreamBuffer::Space{};
  ssize_t size;
  size_t direct = 0;
  if (!space.data) [[likely]] {
    size = recv(fd_, buffer, Loop::kReadBufferSize, MSG_DONTWAIT);
  } else {
    // The rest of a large readexactly() goes where it belongs, and what comes after it into the loop's buffer.
    iovec vectors[] = {{space.data, std::min(space.size, Loop::kReadBufferSize)}, {buffer, 0}};
    vectors[1].iov_len = Loop::kReadBufferSize - vectors[0].iov_len;
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = 2;
    size = recvmsg(fd_, &message, MSG_DONTWAIT);
    if (size > 0) direct = std::min(static_cast<size_t>(size), vectors[0].iov_len);
  }
  if (size < 0) return reading_failed();
  if (size == 0) return received_eof();
  received(size, Loop::kReadBufferSize);
  stream->buffer.filled(direct);
  const size_t rest = static_cast<size_t>(size) - direct;
  if (rest ? stream->feed(buffer, rest) : stream->fed()) return 0;
  return fatal_error("Fatal error: protocol.data_received() call failed.");
}

int SocketTransport::read_into_protocol() {
  const Ref protocol = Ref::borrow(protocol_);
  ssize_t size;
  size_t room;
  {
    const Ref hint = Ref::steal(PyLong_FromLong(-1));
    const Ref target = Ref::steal(PyObject_CallMethodOneArg(protocol.get(), names().get_buffer, hint.get()));
    if (!target) return fatal_error("Fatal error: protocol.get_buffer() call failed.");
    const Py_ssize_t length = PyObject_Size(target.get());
    if (length == 0) PyErr_SetString(PyExc_RuntimeError, "get_buffer() returned an empty buffer");
    if (length <= 0) return fatal_error("Fatal error: protocol.get_buffer() call failed.");
    Buffer buffer;
    if (!buffer.get(target.get(), PyBUF_WRITABLE)) {
      // The text of socket.recv_into(), which the default loop calls.
      PyErr_Format(PyExc_TypeError, "recv_into() argument 1 must be read-write bytes-like object, not %.200s",
                   Py_TYPE(target.get())->tp_name);
      return fatal_error("Fatal read error on socket transport");
    }
    // get_buffer() is the program's code: it may have closed the transport.
    if (!open_ || lost()) return 0;
    room = buffer.size();
    size = recv(fd_, buffer.data(), room, MSG_DONTWAIT);
    if (size < 0) return reading_failed();
  }
  if (size == 0) return received_eof();
  received(size, room);
  filled_at_ = 0;
  const Ref count = Ref::steal(PyLong_FromSsize_t(size));
  if (!count) return fatal_error("Fatal error: protocol.buffer_updated() call failed.");
  const Ref result = Ref::steal(PyObject_CallMethodOneArg(protocol.get(), names().buffer_updated, count.get()));
  return result ? 0 : fatal_error("Fatal error: protocol.buffer_updated() call failed.");
}

int SocketTransport::received_eof() {
  if (log_debug("%r received EOF") < 0) return -1;
  const Ref protocol = Ref::borrow(protocol_);
  const Ref result = Ref::steal(PyObject_CallMethodNoArgs(protocol.get(), names().eof_received));
  const int keep_open = result ? PyObject_IsTrue(result.get()) : -1;
  if (keep_open < 0) return fatal_error("Fatal error: protocol.eof_received() call failed.");
  if (keep_open) {
    // The program may go on writing; there is nothing more to read.
    eof_received_ = true;
    update_interest();
    return 0;
  }
  const Ref closed = Ref::steal(close(object(), nullptr));
  return closed ? 0 : -1;
}

// --- writing ---------------------------------------------------------------------------------------------------------

bool SocketTransport::enqueue(PyObject* data) {
  if (PyBytes_CheckExact(data)) [[likely]] {
    const Py_ssize_t size = PyBytes_GET_SIZE(data);
    if (size > 0) queue_.push(PyBytes_AS_STRING(data), static_cast<size_t>(size), Ref::borrow(data));
    return true;
  }
  Buffer buffer;
  if (!buffer.get(data, PyBUF_SIMPLE)) return false;
  if (buffer.size() == 0) return true;
  const char* rest = buffer.data();
  size_t size = buffer.size();
  bool tried = false;
  if (queue_.empty() && size > flush_threshold()) {
    // It would be sent at once, so try that before copying. An error comes back when the rest is sent.
    const ssize_t sent = send(fd_, rest, size, system::kNoSignal);
    tried = sent >= 0 || would_block();
    if (sent > 0) {
      loop_->sent(static_cast<size_t>(sent));
      rest += sent;
      size -= static_cast<size_t>(sent);
    }
    if (size == 0) return true;
  }
  // The program may change it after write() has returned.
  Ref copy = Ref::steal(PyBytes_FromStringAndSize(rest, static_cast<Py_ssize_t>(size)));
  if (!copy) return false;
  const char* copied = PyBytes_AS_STRING(copy.get());
  queue_.push(copied, size, std::move(copy));
  // One attempt is enough: the rest waits for the peer, as on the default loop.
  return !tried || update_interest();
}

// `waited` is what was queued before.
int SocketTransport::after_write(size_t waited) {
  if (queue_.empty()) return 0;
  if (loop_->closed) [[unlikely]]
    return write_without_loop(waited);
  // Waiting for the peer already: the queue grows until it reads.
  if (waits_for_peer()) return flow_.maybe_pause(this, queue_.size());
  if (loop_->in_turn() && queue_.size() <= flush_threshold()) {
    loop_->flush_later(&io_, queue_.size() - waited);
    return 0;
  }
  return send_queued();
}

// A closed loop sends what the kernel takes at once, and cannot wait for the rest.
int SocketTransport::write_without_loop(size_t waited) {
  if (waited) return flow_.maybe_pause(this, queue_.size());
  if (send_queued() < 0) return -1;
  if (queue_.empty() || lost()) return 0;
  queue_.clear();
  return loop_->check_open() ? 0 : -1;
}

int SocketTransport::flush(IoObject* io) {
  SocketTransport* self = from(io);
  if (self->queue_.empty() || self->loop_->closed || !self->open_ || self->lost() || self->waits_for_peer()) return 0;
  return self->send_queued();
}

ssize_t SocketTransport::send_gathered(size_t* offered) {
  iovec vectors[kMostVectors];
  const int count = queue_.gather(vectors, kMostVectors);
  *offered = 0;
  for (int i = 0; i < count; ++i) *offered += vectors[i].iov_len;
  ssize_t sent;
  if (count == 1) {
    sent = send(fd_, vectors[0].iov_base, vectors[0].iov_len, system::kNoSignal);
  } else {
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = static_cast<size_t>(count);
    sent = sendmsg(fd_, &message, system::kNoSignal);
  }
  if (sent < 0) return sent;
  loop_->sent(static_cast<size_t>(sent));
  queue_.consume(static_cast<size_t>(sent));
  return sent;
}

int SocketTransport::send_queued() {
  while (!queue_.empty()) {
    size_t offered;
    const ssize_t sent = send_gathered(&offered);
    if (sent < 0) {
      if (would_block()) break;
      PyErr_SetFromErrno(PyExc_OSError);
      {
        // As on the default loop, the transport that is logged waits for nothing any more.
        const SavedException saved;
        queue_.clear();
        if (!update_interest()) PyErr_Clear();
      }
      return fatal_error("Fatal write error on socket transport");
    }
    if (static_cast<size_t>(sent) < offered) break;
  }
  if (queue_.empty()) return all_sent();
  if (loop_->closed) [[unlikely]]
    return 0;
  if (!update_interest()) return fatal_error("Fatal write error on socket transport");
  return flow_.maybe_pause(this, queue_.size());
}

int SocketTransport::write_ready() {
  if (lost() || !open_ || queue_.empty()) return 0;
  if (send_queued() < 0) return -1;
  return queue_.empty() || lost() ? 0 : flow_.maybe_resume(this, queue_.size());
}

int SocketTransport::all_sent() {
  if (waits_for_peer()) update_interest();
  // resume_writing() may write again.
  if (flow_.maybe_resume(this, queue_.size()) < 0) return -1;
  if (!queue_.empty() || lost()) return 0;
  if (empty_waiter_ && wake_empty_waiter(names().set_result, Py_None) < 0) return -1;
  if (closing_) return lose_connection(Py_None);
  if (eof_written_) ::shutdown(fd_, SHUT_WR);
  return 0;
}

}  // namespace mainspring
