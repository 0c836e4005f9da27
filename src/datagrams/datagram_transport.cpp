#include "datagrams/datagram_transport.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "python/buffer.hpp"
#include "system/datagram_batch.hpp"
#include "system/no_signal.hpp"

namespace mainspring {

namespace {

// No IP datagram is larger than a slot.
constexpr size_t kSlot = 64 * 1024;
constexpr unsigned kSendBatch = 32;
constexpr int kBatch = Loop::kReadBufferSize / kSlot;
// More datagrams than these leave the turn to others first.
constexpr int kMostATurn = 32;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

const IoKind DatagramTransport::kKind = {run_start, nullptr, Transport::loop_closes, begin, close_descriptor, nullptr};

PyObject* DatagramTransport::make(Loop* loop, PyObject* socket, int fd, PyObject* protocol, PyObject* address,
                                  PyObject* waiter, PyObject* extra) {
  PyTypeObject* type = loop->state().datagram_transport_type;
  const Ref made = Ref::steal(type->tp_alloc(type, 0));
  if (!made) return nullptr;
  DatagramTransport* self = from(made.get());
  new (&self->flow_) FlowControl();
  self->io_.open_kind = OpenKind::kDatagram;
  if (!self->set_up(loop, &kKind, protocol, fd, extra, nullptr, waiter)) return nullptr;
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0) self->family_ = own.ss_family;
  PyObject* peer = PyDict_GetItemWithError(self->extra, loop->names().peername);
  self->connected_ = peer && PyObject_IsTrue(peer) == 1;
  self->address_ = Py_XNewRef(address);
  if (!self->schedule_start()) return nullptr;
  self->socket_ = Py_NewRef(socket);
  return Py_NewRef(made.get());
}

int DatagramTransport::begin(IoObject* io) {
  DatagramTransport* self = from(io);
  return self->update_interest() ? 0 : self->fatal_error("Fatal error: the endpoint cannot be watched");
}

bool DatagramTransport::update_interest() {
  if (!started_) return true;
  const bool writes = waiting_ && !waiting_->empty() && !lost();
  return watch((closing_ || paused_ ? 0 : uv::Poller::kReadable) | (writes ? uv::Poller::kWritable : 0), serve);
}

int DatagramTransport::serve(void* owner, int events) {
  auto* self = static_cast<DatagramTransport*>(owner);
  const Ref alive = Ref::borrow(self->object());
  const int64_t started = self->loop_->debug ? self->loop_->duration_clock() : 0;
  int status = 0;
  if (!self->loop_->enter_context(self->context_)) return self->fatal_error("Fatal read error on datagram transport");
  if (events & uv::Poller::kReadable) status = self->read();
  if (status == 0 && (events & uv::Poller::kWritable)) status = self->write_ready();
  if (status == 0 && self->loop_->debug) status = self->loop_->report_slow(self->object(), started);
  return status;
}

// --- receiving -------------------------------------------------------------------------------------------------------

int DatagramTransport::read() {
  const auto reads = [this] { return !lost() && !closing_ && !paused_ && open_; };
  if (family_ != AF_INET && family_ != AF_INET6) return reads() ? read_one() : 0;
  // Where several come at a time, the next have come meanwhile: to ask for them costs less than to poll first.
  int more = 2;
  for (int left = kMostATurn; left > 0 && more > 1 && reads(); left -= more) {
    if (read_batch(&more) < 0) return -1;
  }
  if (more == 1) loop_->received_all();
  return 0;
}

// Receives and delivers up to kBatch; `received` is how many there were.
int DatagramTransport::read_batch(int* received) {
  system::DatagramMessage messages[kBatch];
  iovec vectors[kBatch];
  sockaddr_storage senders[kBatch];
  for (int i = 0; i < kBatch; ++i) {
    vectors[i] = {loop_->read_buffer() + i * kSlot, kSlot};
    messages[i] = {};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &senders[i];
    messages[i].msg_hdr.msg_namelen = sizeof senders[i];
  }
  int later = 0;
  const int count = system::receive_batch(fd_, messages, kBatch, &later);
  *received = std::max(count, 0);
  if (count < 0) return received_error();
  for (int i = 0; i < count; ++i) loop_->counters.received(messages[i].msg_len);
  // The protocol may run anything, other transports' reads included, so everything is copied out first.
  Ref data[kBatch];
  for (int i = 0; i < count; ++i) {
    data[i] = Ref::steal(PyBytes_FromStringAndSize(loop_->read_buffer() + static_cast<size_t>(i) * kSlot,
                                                   static_cast<Py_ssize_t>(messages[i].msg_len)));
    if (!data[i]) return fatal_error("Fatal read error on datagram transport");
  }
  for (int i = 0; i < count; ++i) {
    // What the protocol does with one decides whether there is a next.
    if (lost() || closing_ || !open_) return 0;
    const auto* sender = reinterpret_cast<const sockaddr*>(&senders[i]);
    const Ref address = Ref::steal(loop_->addresses().to_python(sender, messages[i].msg_hdr.msg_namelen));
    if (!address) return fatal_error("Fatal read error on datagram transport");
    if (paused_) {
      if (!hold(data[i].get(), address.get())) return fatal_error("Fatal read error on datagram transport");
    } else if (deliver(data[i].get(), address.get()) < 0) {
      return -1;
    }
  }
  if (later == 0 || lost() || closing_ || !open_) return 0;
  errno = later;
  return received_error();
}

int DatagramTransport::deliver(PyObject* data, PyObject* address) {
  const Ref protocol = Ref::borrow(protocol_);
  PyObject* arguments[] = {nullptr, protocol.get(), data, address};
  const Ref result = Ref::steal(
      PyObject_VectorcallMethod(names().datagram_received, arguments + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  if (result) return 0;
  if (report_step(names()._read_ready) < 0) return -1;
  return loop_->enter_context(context_) ? 0 : fatal_error("Fatal read error on datagram transport");
}

bool DatagramTransport::hold(PyObject* data, PyObject* address) {
  if (!held_ && !(held_ = PyList_New(0))) return false;
  const Ref pair = Ref::steal(PyTuple_Pack(2, data, address));
  return pair && PyList_Append(held_, pair.get()) == 0;
}

// Delivers what was held while reading was paused, then watches the descriptor again.
PyObject* DatagramTransport::deliver_held(PyObject* self, PyObject*) {
  DatagramTransport* transport = from(self);
  while (transport->held_ && PyList_GET_SIZE(transport->held_) > 0) {
    if (transport->paused_ || transport->closing_ || transport->lost()) return none();
    const Ref first = Ref::borrow(PyList_GET_ITEM(transport->held_, 0));
    if (PyList_SetSlice(transport->held_, 0, 1, nullptr) < 0) return nullptr;
    if (transport->deliver(PyTuple_GET_ITEM(first.get(), 0), PyTuple_GET_ITEM(first.get(), 1)) < 0) return nullptr;
  }
  return transport->closing_ || transport->update_interest() ? none() : nullptr;
}

PyObject* DatagramTransport::pause_reading(PyObject* self, PyObject*) {
  DatagramTransport* transport = from(self);
  if (transport->closing_ || transport->paused_) return none();
  transport->paused_ = true;
  transport->update_interest();
  return transport->log_debug("%r pauses reading") < 0 ? nullptr : none();
}

PyObject* DatagramTransport::resume_reading(PyObject* self, PyObject*) {
  DatagramTransport* transport = from(self);
  if (transport->closing_ || !transport->paused_) return none();
  transport->paused_ = false;
  transport->loop_->expect_events();
  if (transport->held_ && PyList_GET_SIZE(transport->held_) > 0) {
    const Ref callback = Ref::steal(PyObject_GetAttr(self, transport->names()._deliver_held));
    const Ref handle = callback ? Ref::steal(reinterpret_cast<PyObject*>(
                                      transport->loop_->call_soon(callback.get(), nullptr, 0, transport->context_)))
                                : Ref();
    if (!handle) return nullptr;
  } else if (!transport->update_interest()) {
    return nullptr;
  }
  return transport->log_debug("%r resumes reading") < 0 ? nullptr : none();
}

// Addresses of other families are left to Python's own socket.
int DatagramTransport::read_one() {
  const Ref received =
      Ref::steal(PyObject_CallMethod(socket_, "recvfrom", "n", static_cast<Py_ssize_t>(Loop::kReadBufferSize)));
  const Ref protocol = Ref::borrow(protocol_);
  if (!received) {
    if (PyErr_ExceptionMatches(PyExc_BlockingIOError) || PyErr_ExceptionMatches(PyExc_InterruptedError)) {
      PyErr_Clear();
      return 0;
    }
    if (!PyErr_ExceptionMatches(PyExc_OSError)) return fatal_error("Fatal read error on datagram transport");
    return network_error(names()._read_ready);
  }
  PyObject* data = PyTuple_GET_ITEM(received.get(), 0);
  if (PyBytes_Check(data)) loop_->counters.received(static_cast<size_t>(PyBytes_GET_SIZE(data)));
  const Ref result = Ref::steal(PyObject_CallMethodObjArgs(protocol.get(), names().datagram_received, data,
                                                           PyTuple_GET_ITEM(received.get(), 1), nullptr));
  return result ? 0 : report_step(names()._read_ready);
}

int DatagramTransport::received_error() {
  if (would_block(errno)) return 0;
  PyErr_SetFromErrno(PyExc_OSError);
  return network_error(names()._read_ready);
}

// --- sending ---------------------------------------------------------------------------------------------------------

PyObject* DatagramTransport::sendto(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  DatagramTransport* transport = from(self);
  PyObject* data = nullptr;
  PyObject* address = Py_None;
  if (!parse_two("sendto", "data", "addr", args, count, keywords, &data, &address)) return nullptr;
  if (!data) {
    PyErr_SetString(PyExc_TypeError, "sendto() missing required positional argument: 'data'");
    return nullptr;
  }
  if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
    const Ref name = Ref::steal(PyType_GetName(Py_TYPE(data)));
    if (!name) return nullptr;
    return PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not %R", name.get());
  }
  Buffer buffer;
  if (!buffer.get(data, PyBUF_SIMPLE)) return nullptr;
#if PY_VERSION_HEX < 0x030D0000
  // Older Pythons send no empty datagrams.
  if (buffer.size() == 0) return none();
#endif
  if (transport->address_) {
    if (address != Py_None) {
      const int same = PyObject_RichCompareBool(address, transport->address_, Py_EQ);
      if (same < 0) return nullptr;
      if (!same) {
        return PyErr_Format(PyExc_ValueError, "Invalid address: must be None or %S", transport->address_);
      }
    }
    address = transport->address_;
  }
  if (transport->lost() && transport->address_) {
    return transport->count_late_write("socket.send() raised exception.") < 0 ? nullptr : none();
  }
  if (!transport->open_) return none();
  transport->loop_->expect_events();
  if (!transport->waiting_ || transport->waiting_->empty()) {
    switch (transport->send_one(buffer.data(), buffer.size(), data, address)) {
      case Sent::kDone:
        return none();
      case Sent::kFailed:
        return transport->network_error(nullptr) < 0 ? nullptr : none();
      case Sent::kBlocked:
        break;
    }
  }
  // The descriptor is watched when the first has to wait.
  if ((!transport->waiting_ || transport->waiting_->empty()) && !transport->loop_->check_open()) return nullptr;
  // The program may change what is not bytes.
  Ref copy = PyBytes_CheckExact(data)
                 ? Ref::borrow(data)
                 : Ref::steal(PyBytes_FromStringAndSize(buffer.data(), static_cast<Py_ssize_t>(buffer.size())));
  if (!copy) return nullptr;
  if (!transport->waiting_) transport->waiting_ = new std::deque<Waiting>();
  transport->waiting_->push_back({std::move(copy), Ref::borrow(address)});
  transport->waiting_size_ += buffer.size() + transport->loop_->state().datagram_header;
  if (!transport->update_interest()) return nullptr;
  return transport->flow_.maybe_pause(transport, transport->waiting_size_) < 0 ? nullptr : none();
}

DatagramTransport::Sent DatagramTransport::send_one(const char* data, size_t size, PyObject* data_object,
                                                    PyObject* address) {
  ssize_t sent;
  sockaddr_storage storage;
  if (connected_) {
    sent = ::send(fd_, data, size, system::kNoSignal);
  } else if (const socklen_t length = loop_->addresses().from_python(address, family_, &storage)) {
    sent = ::sendto(fd_, data, size, system::kNoSignal, reinterpret_cast<sockaddr*>(&storage), length);
  } else {
    // Host names, scopes and other families: Python's socket knows them all.
    const Ref result = Ref::steal(PyObject_CallMethod(socket_, "sendto", "OO", data_object, address));
    if (result) {
      loop_->sent(size);
      return Sent::kDone;
    }
    if (!PyErr_ExceptionMatches(PyExc_BlockingIOError) && !PyErr_ExceptionMatches(PyExc_InterruptedError)) {
      return Sent::kFailed;
    }
    PyErr_Clear();
    return Sent::kBlocked;
  }
  if (sent >= 0) {
    loop_->sent(static_cast<size_t>(sent));
    return Sent::kDone;
  }
  if (would_block(errno)) return Sent::kBlocked;
  PyErr_SetFromErrno(PyExc_OSError);
  return Sent::kFailed;
}

// The exception that is set concerns one datagram when it is an OSError; anything else ends the transport. What
// error_received() raises is reported as an error of the method `step`, or goes to the caller when that is nullptr.
int DatagramTransport::network_error(PyObject* step) {
  if (leaves_the_loop()) return -1;
  if (!PyErr_ExceptionMatches(PyExc_OSError)) return fatal_error("Fatal write error on datagram transport");
  const Ref exception = take_exception();
  const Ref protocol = Ref::borrow(protocol_);
  if (!protocol) return 0;
  Ref result;
  {
    const HandledException handled(exception.get());
    result = Ref::steal(PyObject_CallMethodOneArg(protocol.get(), names().error_received, exception.get()));
  }
  if (result) return 0;
  return step ? report_step(step) : -1;
}

// Reports what the protocol has raised within a step that the default loop would have scheduled. A transport that was
// closed meanwhile has cancelled it.
int DatagramTransport::report_step(PyObject* step) {
  return loop_->report_call(object(), step, nullptr, context_, closing_);
}

// Sends the first of those that wait with one system call. How many; -1 when the kernel takes none; 0 when the first
// has to go alone, because there is no other, its address is Python's to understand, or it fails.
int DatagramTransport::send_batch() {
  system::DatagramMessage messages[kSendBatch];
  iovec vectors[kSendBatch];
  sockaddr_storage receivers[kSendBatch];
  unsigned count = 0;
  for (const Waiting& waiting : *waiting_) {
    if (count == kSendBatch) break;
    messages[count] = {};
    if (!connected_) {
      const socklen_t length = loop_->addresses().from_python(waiting.address.get(), family_, &receivers[count]);
      if (length == 0) break;
      messages[count].msg_hdr.msg_name = &receivers[count];
      messages[count].msg_hdr.msg_namelen = length;
    }
    PyObject* data = waiting.data.get();
    vectors[count] = {PyBytes_AS_STRING(data), static_cast<size_t>(PyBytes_GET_SIZE(data))};
    messages[count].msg_hdr.msg_iov = &vectors[count];
    messages[count].msg_hdr.msg_iovlen = 1;
    ++count;
  }
  if (count < 2) return 0;
  const int sent = system::send_batch(fd_, messages, count);
  if (sent < 0) return would_block(errno) ? -1 : 0;
  for (int i = 0; i < sent; ++i) {
    loop_->sent(vectors[i].iov_len);
    waiting_size_ -= vectors[i].iov_len + loop_->state().datagram_header;
    waiting_->pop_front();
  }
  return sent;
}

int DatagramTransport::write_ready() {
  while (waiting_ && !waiting_->empty() && !lost() && open_) {
    const int batch = send_batch();
    if (batch < 0) break;
    if (batch > 0) continue;
    Waiting first = std::move(waiting_->front());
    waiting_->pop_front();
    const auto size = static_cast<size_t>(PyBytes_GET_SIZE(first.data.get()));
    const Sent sent = send_one(PyBytes_AS_STRING(first.data.get()), size, first.data.get(), first.address.get());
    if (sent == Sent::kBlocked) {
      waiting_->push_front(std::move(first));
      break;
    }
    waiting_size_ -= size + loop_->state().datagram_header;
    // As on the default loop, the rest waits for the next turn after an error.
    if (sent == Sent::kFailed) return network_error(names()._sendto_ready);
  }
  if (flow_.maybe_resume(this, waiting_size_) < 0) return -1;
  if (waiting_ && waiting_->empty() && !lost()) {
    update_interest();
    if (closing_) return lose(Py_None);
  }
  return 0;
}

// --- closing ---------------------------------------------------------------------------------------------------------

int DatagramTransport::close_with(PyObject* exception) {
  if (lost()) return 0;
  if (waiting_) waiting_->clear();
  waiting_size_ = 0;
  closing_ = true;
  close_poller();
  return lose(exception);
}

int DatagramTransport::fatal_error(const char* message) {
  const Ref exception = take_fatal_error(message, true);
  if (!exception) return -1;
  const HandledException handled(exception.get());
  return close_with(exception.get());
}

PyObject* DatagramTransport::close(PyObject* self, PyObject*) {
  DatagramTransport* transport = from(self);
  if (transport->closing_) return none();
  transport->closing_ = true;
  transport->update_interest();
  if (transport->waiting_ && !transport->waiting_->empty()) return none();
  return transport->lose(Py_None) < 0 ? nullptr : none();
}

PyObject* DatagramTransport::abort(PyObject* self, PyObject*) {
  return from(self)->close_with(Py_None) < 0 ? nullptr : none();
}

// What the default loop schedules when the descriptor is ready, by the names under which its errors are reported.
PyObject* DatagramTransport::read_ready(PyObject* self, PyObject*) {
  return serve(from(self), uv::Poller::kReadable) < 0 ? nullptr : none();
}

PyObject* DatagramTransport::sendto_ready(PyObject* self, PyObject*) {
  return serve(from(self), uv::Poller::kWritable) < 0 ? nullptr : none();
}

PyObject* DatagramTransport::get_write_buffer_size(PyObject* self, PyObject*) {
  return PyLong_FromSize_t(from(self)->waiting_size_);
}

PyObject* DatagramTransport::get_write_buffer_limits(PyObject* self, PyObject*) { return from(self)->flow_.limits(); }

PyObject* DatagramTransport::set_write_buffer_limits(PyObject* self, Arguments args, Py_ssize_t count,
                                                     PyObject* keywords) {
  DatagramTransport* transport = from(self);
  if (!transport->flow_.set_limits(args, count, keywords)) return nullptr;
  return transport->flow_.maybe_pause(transport, transport->waiting_size_) < 0 ? nullptr : none();
}

PyObject* DatagramTransport::repr(PyObject* self) {
  DatagramTransport* transport = from(self);
  const char* state = !transport->open_ ? " closed" : (transport->closing_ ? " closing" : "");
  if (!transport->open_ || transport->loop_->closed) {
    return PyUnicode_FromFormat("<DatagramTransport%s fd=%d>", state, transport->fd_);
  }
  const int interest = transport->watched();
  return PyUnicode_FromFormat("<DatagramTransport%s fd=%d read=%s write=<%s, bufsize=%zu>>", state, transport->fd_,
                              interest & uv::Poller::kReadable ? "polling" : "idle",
                              interest & uv::Poller::kWritable ? "polling" : "idle", transport->waiting_size_);
}

void DatagramTransport::close_descriptor(IoObject* io) {
  DatagramTransport* self = from(io);
  self->close_file(&self->socket_);
}

int DatagramTransport::clear(PyObject* self) {
  DatagramTransport* transport = from(self);
  delete std::exchange(transport->waiting_, nullptr);
  transport->clear_common();
  Py_CLEAR(transport->socket_);
  Py_CLEAR(transport->address_);
  Py_CLEAR(transport->held_);
  return 0;
}

int DatagramTransport::traverse(PyObject* self, visitproc visit, void* arg) {
  DatagramTransport* transport = from(self);
  Py_VISIT(transport->socket_);
  Py_VISIT(transport->address_);
  Py_VISIT(transport->held_);
  if (transport->waiting_) {
    for (const Waiting& waiting : *transport->waiting_) Py_VISIT(waiting.address.get());
  }
  return transport->visit_common(visit, arg);
}

void DatagramTransport::dealloc(PyObject* self) {
  if (!begin_dealloc(self)) return;
  clear(self);
  end_dealloc(self);
}

}  // namespace mainspring
