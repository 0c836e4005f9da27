// The life of a SocketTransport: made, started, closed, lost, freed.
#include "streams/socket_transport.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <new>

namespace mainspring {

const IoKind SocketTransport::kKind = {run_start, flush,  Transport::loop_closes, begin, close_descriptor,
                                       find_info, connect};

PyObject* SocketTransport::make(const Origin& origin) {
  Loop* loop = origin.loop;
  PyTypeObject* type = loop->state().socket_transport_type;
  const Ref made = Ref::steal(type->tp_alloc(type, 0));
  if (!made) return nullptr;
  // tp_alloc returned zeroed memory; only what is not zero is set.
  SocketTransport* self = from(made.get());
  new (&self->flow_) FlowControl();
  new (&self->own_) Address();
  new (&self->peer_) Address();
  new (&self->queue_) WriteQueue<Ref>();
  if (!self->set_up(loop, &kKind, origin.protocol, origin.fd, origin.extra, origin.context, origin.waiter)) {
    return nullptr;
  }
  self->number_ = origin.number;
  self->is_tcp_ = origin.is_tcp;
  self->own_.set_own(origin.fd);
  if (origin.peer) {
    self->peer_ = *origin.peer;
  } else {
    self->peer_.set_peer(origin.fd);
  }
  if (self->own_.family() == AF_UNIX) {
    self->io_.open_kind = OpenKind::kUnix;
    if (!self->note_unix_names()) return nullptr;
  }
  if (!self->use_protocol(origin.protocol)) return nullptr;
  if (origin.server) {
    const Ref attached = Ref::steal(loop->state().attach_takes_transport
                                        ? PyObject_CallMethodOneArg(origin.server, loop->names()._attach, made.get())
                                        : PyObject_CallMethodNoArgs(origin.server, loop->names()._attach));
    if (!attached) return nullptr;
    self->server_ = Py_NewRef(origin.server);
  }
  if (!self->schedule_start()) return nullptr;
  self->socket_ = Py_XNewRef(origin.socket);
  if (self->socket_) self->keeps_socket_open_ = self->keep_socket_open();
  return Py_NewRef(made.get());
}

// Counts as a user of the program's socket, as a file made by socket.makefile() does. False for what is not Python's
// own socket class, which has no such count.
bool SocketTransport::keep_socket_open() {
  const Ref users = Ref::steal(PyObject_GetAttr(socket_, names()._io_refs));
  const Ref one_more = users ? Ref::steal(PyLong_FromLong(PyLong_AsLong(users.get()) + 1)) : Ref();
  if (one_more && PyObject_SetAttr(socket_, names()._io_refs, one_more.get()) == 0) return true;
  PyErr_Clear();
  return false;
}

// Names of UNIX sockets are long and rarely there, so they are not kept as addresses.
bool SocketTransport::note_unix_names() {
  const Ref own = Ref::steal(unix_name(fd_, true));
  const Ref peer = Ref::steal(unix_name(fd_, false));
  return own && peer && PyDict_SetDefault(extra, names().sockname, own.get()) &&
         PyDict_SetDefault(extra, names().peername, peer.get());
}

bool SocketTransport::use_protocol(PyObject* protocol) {
  const int buffered = PyObject_IsInstance(protocol, loop_->state().buffered_protocol);
  if (buffered < 0) return false;
  buffered_ = buffered;
  sink_ = PyObject_TypeCheck(protocol, loop_->state().byte_sink.type);
  Py_XSETREF(protocol_, Py_NewRef(protocol));
  return true;
}

PyObject* SocketTransport::connect(IoObject* io) {
  SocketTransport* self = from(io);
  return self->stream_.connect(self);
}

int SocketTransport::begin(IoObject* io) {
  SocketTransport* self = from(io);
  return self->update_interest() ? 0 : self->fatal_error("Fatal error: the connection cannot be watched");
}

bool SocketTransport::update_interest() {
  if (!started_) return true;
  const bool reads = !paused_ && !closing_ && !eof_received_;
  const bool writes = !queue_.empty() && !io_.flush_pending && !lost();
  using uv::Poller;
  return watch((reads ? Poller::kReadable : 0) | (writes ? Poller::kWritable : 0), serve,
               is_tcp_ ? Poller::Told::kOfArrivals : Poller::Told::kWhileReady);
}

int SocketTransport::lose_connection(PyObject* exception) {
  // Nothing more is received or sent, and closing the descriptor later needs no further system call.
  close_poller();
  return lose(exception);
}

int SocketTransport::force_close_with(PyObject* exception) {
  if (lost()) return 0;
  queue_.clear();
  closing_ = true;
  return lose_connection(exception);
}

int SocketTransport::fatal_error(const char* message) {
  // The default loop sends in write(), so what was written before an error is not lost by it.
  size_t offered;
  if (io_.flush_pending && open_ && !loop_->closed && !queue_.empty()) send_gathered(&offered);
  const Ref exception = take_fatal_error(message, true);
  if (exception && empty_waiter_ && wake_empty_waiter(names().set_exception, exception.get()) < 0) return -1;
  if (!exception) return -1;
  // If the loop is closed, that error tells of this one as its context.
  const HandledException handled(exception.get());
  return force_close_with(exception.get());
}

void SocketTransport::close_descriptor(IoObject* io) {
  SocketTransport* self = from(io);
  if (!self->open_) return;
  self->open_ = false;
  Names& names = self->names();
  // A finalizer may come here after the loop has forgotten its descriptors.
  if (self->loop_->transport_of(self->fd_) == self->object()) self->loop_->set_transport(self->fd_, nullptr);
  const Ref socket = Ref::steal(std::exchange(self->socket_, nullptr));
  if (!socket) {
    ::close(self->fd_);
  } else {
    Ref result;
    if (self->keeps_socket_open_) {
      result = Ref::steal(PyObject_CallMethodNoArgs(socket.get(), names._decref_socketios));
      if (!result) PyErr_WriteUnraisable(socket.get());
    }
    result = Ref::steal(PyObject_CallMethodNoArgs(socket.get(), names.close));
    if (!result) PyErr_WriteUnraisable(socket.get());
  }
  if (self->empty_waiter_) {
    const Ref error = Ref::steal(PyObject_CallFunction(PyExc_ConnectionError, "s", "Connection is closed by peer"));
    if (!error || self->wake_empty_waiter(names.set_exception, error.get()) < 0) PyErr_WriteUnraisable(self->object());
  }
  const Ref server = Ref::steal(std::exchange(self->server_, nullptr));
  if (!server) return;
  const Ref detached = Ref::steal(self->loop_->state().attach_takes_transport
                                      ? PyObject_CallMethodOneArg(server.get(), names._detach, self->object())
                                      : PyObject_CallMethodNoArgs(server.get(), names._detach));
  if (!detached) PyErr_WriteUnraisable(server.get());
}

int SocketTransport::clear(PyObject* self) {
  SocketTransport* transport = from(self);
  transport->queue_.clear();
  transport->clear_common();
  Py_CLEAR(transport->socket_);
  Py_CLEAR(transport->server_);
  Py_CLEAR(transport->empty_waiter_);
  return 0;
}

int SocketTransport::traverse(PyObject* self, visitproc visit, void* arg) {
  SocketTransport* transport = from(self);
  Py_VISIT(transport->socket_);
  Py_VISIT(transport->server_);
  Py_VISIT(transport->empty_waiter_);
  if (const int result = transport->visit_common(visit, arg)) return result;
  return transport->queue_.visit([&](const Ref& keeper) { return visit(keeper.get(), arg); });
}

void SocketTransport::dealloc(PyObject* self) {
  if (!begin_dealloc(self)) return;
  clear(self);
  from(self)->queue_.~WriteQueue();
  end_dealloc(self);
}

}  // namespace mainspring
