// The life of a SocketTransport: made, started, closed, lost, freed.
#include "streams/socket_transport.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <new>
#include <system_error>

namespace mainspring {

const IoKind SocketTransport::kKind = {run_step, flush_step, loop_closes};

SocketTransport* SocketTransport::from(PyObject* self) { return reinterpret_cast<SocketTransport*>(self); }

PyObject* SocketTransport::make(const Origin& origin) {
  Loop* loop = origin.loop;
  Ref context = origin.context ? Ref::borrow(origin.context) : Ref::steal(PyContext_CopyCurrent());
  Ref extra = Ref::steal(origin.extra ? PyDict_Copy(origin.extra) : PyDict_New());
  if (!context || !extra) return nullptr;
  PyTypeObject* type = loop->state().socket_transport_type;
  auto* self = reinterpret_cast<SocketTransport*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  // tp_alloc returned zeroed memory; only what is not zero is set.
  new (&self->queue_) WriteQueue<Ref>();
  new (&self->own_) Address();
  new (&self->peer_) Address();
  self->io_.object = self->object();
  self->io_.kind = &kKind;
  self->loop_ = loop;
  self->loop_object_ = Py_NewRef(loop->self());
  self->extra = extra.release();
  self->context_ = context.release();
  self->waiter_ = Py_XNewRef(origin.waiter);
  self->fd_ = origin.fd;
  self->high_water_ = kHighWater;
  self->low_water_ = kHighWater / 4;
  self->own_.set_own(origin.fd);
  if (origin.peer) {
    self->peer_ = *origin.peer;
  } else {
    self->peer_.set_peer(origin.fd);
  }
  const Ref made = Ref::steal(self->object());
  if (self->own_.family() == AF_UNIX && !self->note_unix_names()) return nullptr;
  if (!self->use_protocol(origin.protocol)) return nullptr;
  if (origin.server) {
    const Ref attached =
        Ref::steal(loop->state().attach_takes_transport
                       ? PyObject_CallMethodOneArg(origin.server, loop->names()._attach, self->object())
                       : PyObject_CallMethodNoArgs(origin.server, loop->names()._attach));
    if (!attached) return nullptr;
    self->server_ = Py_NewRef(origin.server);
  }
  if (!loop->push_step(&self->io_)) return nullptr;
  loop->hold(&self->io_);
  // From here on the descriptor is the transport's.
  self->open_ = true;
  self->socket_ = Py_XNewRef(origin.socket);
  loop->set_transport(origin.fd, self->object());
  if (self->socket_) {
    const Ref references = Ref::steal(PyObject_GetAttr(self->socket_, self->names()._io_refs));
    if (references) {
      const Ref one_more = Ref::steal(PyLong_FromLong(PyLong_AsLong(references.get()) + 1));
      self->keeps_socket_open_ =
          one_more && PyObject_SetAttr(self->socket_, self->names()._io_refs, one_more.get()) == 0;
    }
    PyErr_Clear();
  }
  return Py_NewRef(self->object());
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
  Py_XSETREF(protocol_, Py_NewRef(protocol));
  return true;
}

int SocketTransport::run_step(IoObject* io) { return from(io->object)->start(); }

int SocketTransport::start() {
  started_ = true;
  if (!open_) return 0;
  int status = 0;
  if (loop_->enter_context(context_)) {
    const Ref result = Ref::steal(PyObject_CallMethodOneArg(protocol_, names().connection_made, object()));
    if (!result) status = loop_->report("Exception in callback connection_made()", object(), protocol_);
  } else {
    status = loop_->report("Exception in callback connection_made()", object(), protocol_);
  }
  if (status < 0) return -1;
  // Reading starts only now, so that no data comes before connection_made().
  if (open_ && !update_interest() && fatal_error("Fatal error: the connection cannot be watched") < 0) return -1;
  if (!waiter_) return 0;
  const Ref waiter = Ref::steal(std::exchange(waiter_, nullptr));
  const Ref done = Ref::steal(PyObject_CallMethodNoArgs(waiter.get(), names().done));
  if (!done) return -1;
  if (done.get() == Py_True) return 0;
  const Ref result = Ref::steal(PyObject_CallMethodOneArg(waiter.get(), names().set_result, Py_None));
  return result ? 0 : -1;
}

bool SocketTransport::update_interest() {
  if (!started_) return true;
  const bool reads = !paused_ && !closing_ && !eof_received_;
  const bool writes = !queue_.empty() && !io_.flush_pending && !lost();
  const int interest = (reads ? uv::Poller::kReadable : 0) | (writes ? uv::Poller::kWritable : 0);
  if (!io_.poller) {
    if (interest == 0 || loop_->closed) return true;
    try {
      io_.poller = uv::Poller::open(loop_->uv(), fd_, this, serve);
    } catch (const std::system_error& error) {
      errno = error.code().value();
      PyErr_SetFromErrno(PyExc_OSError);
      return false;
    }
  }
  io_.poller->watch(interest);
  return true;
}

void SocketTransport::close_poller() {
  if (uv::Poller* poller = std::exchange(io_.poller, nullptr)) poller->close();
}

void SocketTransport::loop_closes(IoObject* io) { from(io->object)->close_poller(); }

int SocketTransport::lose(PyObject* exception) {
  ++lost_writes_;
  update_interest();
  if (!loop_->check_open()) return -1;
  const Ref callback = Ref::steal(PyObject_GetAttr(object(), names()._call_connection_lost));
  if (!callback) return -1;
#if PY_VERSION_HEX >= 0x030E0000
  PyObject* context = context_;
#else
  PyObject* context = nullptr;  // the default loop runs it in the context of whoever closed the transport
#endif
  const Ref handle = Ref::steal(reinterpret_cast<PyObject*>(loop_->call_soon(callback.get(), &exception, 1, context)));
  return handle ? 0 : -1;
}

int SocketTransport::force_close_with(PyObject* exception) {
  if (lost()) return 0;
  queue_.clear();
  closing_ = true;
  return lose(exception);
}

int SocketTransport::fatal_error(const char* message) {
  if (leaves_the_loop()) return -1;
  const Ref exception = take_exception();
  if (!PyObject_TypeCheck(exception.get(), reinterpret_cast<PyTypeObject*>(PyExc_OSError))) {
    if (loop_->report(message, exception.get(), object(), protocol_) < 0) return -1;
  } else if (loop_->debug) {
    const Ref logged = Ref::steal(
        PyObject_CallMethod(loop_->self(), "_log_debug", "sOsO", "%r: %s", object(), message, exception.get()));
    if (!logged) return -1;
  }
  return force_close_with(exception.get());
}

PyObject* SocketTransport::call_connection_lost(PyObject* self, PyObject* exception) {
  SocketTransport* transport = from(self);
  if (!transport->open_) return none();
  const Ref alive = Ref::borrow(self);
  transport->close_poller();
  const Ref protocol = Ref::steal(std::exchange(transport->protocol_, nullptr));
  Ref result = Ref::steal(PyObject_CallMethodOneArg(protocol.get(), transport->names().connection_lost, exception));
  {
    const SavedException saved;
    transport->close_descriptor();
    transport->loop_->release(&transport->io_);
  }
  return result.release();
}

void SocketTransport::close_descriptor() {
  if (!open_) return;
  open_ = false;
  // A finalizer may come here after the loop has forgotten its descriptors.
  if (loop_->transport_of(fd_) == object()) loop_->set_transport(fd_, nullptr);
  if (socket_) {
    const Ref socket = Ref::steal(std::exchange(socket_, nullptr));
    Ref result;
    if (keeps_socket_open_) {
      result = Ref::steal(PyObject_CallMethodNoArgs(socket.get(), names()._decref_socketios));
      if (!result) PyErr_WriteUnraisable(socket.get());
    }
    result = Ref::steal(PyObject_CallMethodNoArgs(socket.get(), names().close));
    if (!result) PyErr_WriteUnraisable(socket.get());
  } else {
    ::close(fd_);
  }
  const Ref server = Ref::steal(std::exchange(server_, nullptr));
  if (server) {
    const Ref detached = Ref::steal(loop_->state().attach_takes_transport
                                        ? PyObject_CallMethodOneArg(server.get(), names()._detach, object())
                                        : PyObject_CallMethodNoArgs(server.get(), names()._detach));
    if (!detached) PyErr_WriteUnraisable(server.get());
  }
}

void SocketTransport::finalize(PyObject* self) {
  SocketTransport* transport = from(self);
  if (!transport->open_) return;
  const SavedException saved;
  if (PyErr_ResourceWarning(self, 1, "unclosed transport %R", self) < 0) PyErr_WriteUnraisable(self);
  transport->close_poller();
  transport->close_descriptor();
}

int SocketTransport::clear(PyObject* self) {
  SocketTransport* transport = from(self);
  transport->queue_.clear();
  Py_CLEAR(transport->extra);
  Py_CLEAR(transport->dict);
  Py_CLEAR(transport->protocol_);
  Py_CLEAR(transport->context_);
  Py_CLEAR(transport->socket_);
  Py_CLEAR(transport->waiter_);
  Py_CLEAR(transport->server_);
  return 0;
}

int SocketTransport::traverse(PyObject* self, visitproc visit, void* arg) {
  SocketTransport* transport = from(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(transport->extra);
  Py_VISIT(transport->dict);
  Py_VISIT(transport->loop_object_);
  Py_VISIT(transport->protocol_);
  Py_VISIT(transport->context_);
  Py_VISIT(transport->socket_);
  Py_VISIT(transport->waiter_);
  Py_VISIT(transport->server_);
  return transport->queue_.visit([&](const Ref& keeper) { return visit(keeper.get(), arg); });
}

void SocketTransport::dealloc(PyObject* self) {
  if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
  PyObject_GC_UnTrack(self);
  SocketTransport* transport = from(self);
  if (transport->weak_references) PyObject_ClearWeakRefs(self);
  transport->close_poller();
  clear(self);
  transport->queue_.~WriteQueue();
  const Ref loop = Ref::steal(std::exchange(transport->loop_object_, nullptr));
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace mainspring
