#include "streams/acceptor.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "streams/socket_transport.hpp"
#include "system/descriptors.hpp"
#include "system/is_tcp.hpp"

namespace mainspring {

const IoKind Acceptor::kKind = {nothing, nothing, loop_closes, nullptr, nullptr, nullptr};

PyObject* Acceptor::make(Loop* loop, PyObject* protocol_factory, PyObject* socket, PyObject* server, PyObject* tls,
                         int backlog, PyObject* context) {
  const int fd = PyObject_AsFileDescriptor(socket);
  if (fd < 0) return nullptr;
  Ref own_context = context == Py_None ? Ref::steal(PyContext_CopyCurrent()) : Ref::borrow(context);
  if (!own_context) return nullptr;
  PyTypeObject* type = loop->state().acceptor_type;
  Ref made = Ref::steal(type->tp_alloc(type, 0));
  if (!made) return nullptr;
  Acceptor* self = from(made.get());
  self->io.object = made.get();
  self->io.kind = &kKind;
  self->io.open_kind = OpenKind::kListener;
  self->loop = loop;
  self->loop_object = Py_NewRef(loop->self());
  self->protocol_factory = Py_NewRef(protocol_factory);
  self->socket = Py_NewRef(socket);
  self->server = Py_NewRef(server);
  self->tls = Py_NewRef(tls);
  self->context = own_context.release();
  self->fd = fd;
  self->backlog = backlog;
  self->is_tcp = system::is_tcp(fd);
  const Ref number = Ref::steal(PyObject_GetAttrString(socket, "proto"));
  self->number = number ? static_cast<int>(PyLong_AsLong(number.get())) : 0;
  PyErr_Clear();
  // Accepted sockets inherit it, which saves a system call for each. Fails for UNIX sockets, which have no delay.
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return self->start() ? made.release() : nullptr;
}

bool Acceptor::start() {
  if (!io.poller) {
    loop->forget_registered(fd);
    try {
      io.poller = uv::Poller::open(loop->uv(), fd, this, serve, uv::Poller::kReadable);
    } catch (const std::system_error& error) {
      errno = error.code().value();
      PyErr_SetFromErrno(PyExc_OSError);
      return false;
    }
    loop->hold(&io);
  } else {
    io.poller->watch(uv::Poller::kReadable);
  }
  loop->expect_events();
  return true;
}

PyObject* Acceptor::resume(PyObject* self, PyObject*) {
  // The server may have been closed while accepting paused.
  Acceptor* acceptor = from(self);
  if (acceptor->io.poller) acceptor->start();
  return none();
}

PyObject* Acceptor::stop(PyObject* self, PyObject*) {
  Acceptor* acceptor = from(self);
  const Ref alive = Ref::borrow(self);
  loop_closes(&acceptor->io);
  acceptor->loop->waits().let_go(acceptor->fd);
  acceptor->loop->release(&acceptor->io);
  return none();
}

void Acceptor::loop_closes(IoObject* io) {
  if (uv::Poller* poller = std::exchange(io->poller, nullptr)) poller->close();
}

int Acceptor::serve(void* owner, int) {
  auto* acceptor = static_cast<Acceptor*>(owner);
  const Ref alive = Ref::borrow(acceptor->io.object);
  return acceptor->accept_all();
}

int Acceptor::accept_all() {
  for (int i = 0; i <= backlog; ++i) {
    sockaddr_storage storage;
    socklen_t size = sizeof storage;
    const int connection = system::accept_connection(fd, reinterpret_cast<sockaddr*>(&storage), &size);
    if (connection < 0) {
      if (errno == ECONNABORTED) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return out_of_resources();
      PyErr_SetFromErrno(PyExc_OSError);
      return loop->report("Exception in callback accept()", nullptr, nullptr);
    }
    ++loop->counters.connections_accepted;
    Address peer;
    peer.set(reinterpret_cast<sockaddr*>(&storage), size);
    if (accepted(connection, peer) < 0) return -1;
    // A protocol factory may have closed the server.
    if (!io.poller) return 0;
  }
  return 0;
}

int Acceptor::accepted(int connection, const Address& peer) {
  const Ref own_context = Ref::steal(PyContext_Copy(context));
  if (!own_context) return refused(connection, nullptr);
  const int family = peer.family();
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) {
    // Takes the descriptor over, whatever happens.
    const Ref result = Ref::steal(PyObject_CallMethod(loop_object, "_accept_in_python", "iOOOOO", connection,
                                                      protocol_factory, socket, server, tls, own_context.get()));
    return result ? 0 : loop->report("Exception in callback accept()", nullptr, nullptr);
  }
  if (loop->debug) {
    const Ref address = Ref::steal(peer.to_python());
    if (!address) return refused(connection, nullptr);
    const Ref logged = Ref::steal(PyObject_CallMethod(loop_object, "_log_accepted_descriptor", "OOiii", server,
                                                      address.get(), family, number, connection));
    if (!logged) return refused(connection, nullptr);
  }
  if (!loop->enter_context(own_context.get())) return refused(connection, nullptr);
  const Ref protocol = Ref::steal(PyObject_CallNoArgs(protocol_factory));
  if (!protocol) return refused(connection, nullptr);
  Ref secured;
  if (tls != Py_None) {
    // Python's protocol for TLS, which stands between the transport and the program's.
    secured = Ref::steal(PyObject_CallMethodObjArgs(loop_object, loop->names()._accept_tls, protocol.get(), tls,
                                                    own_context.get(), nullptr));
    if (!secured) return refused(connection, protocol.get());
  }
  SocketTransport::Origin origin{loop, secured ? secured.get() : protocol.get(), connection};
  origin.server = server == Py_None ? nullptr : server;
  origin.context = own_context.get();
  origin.peer = &peer;
  origin.number = number;
  origin.is_tcp = is_tcp;
  const Ref transport = Ref::steal(SocketTransport::make(origin));
  if (transport) return 0;
  if (secured) {
    const SavedException saved;
    const Ref forgotten = Ref::steal(PyObject_CallMethodNoArgs(secured.get(), loop->names()._wakeup_waiter));
    if (!forgotten) PyErr_Clear();
  }
  return refused(connection, protocol.get());
}

int Acceptor::refused(int connection, PyObject* protocol) {
  ::close(connection);
  if (leaves_the_loop()) return -1;
  // As on the default loop, only debug mode tells.
  if (loop->debug) return loop->report("Error on transport creation for incoming connection", nullptr, protocol);
  PyErr_Clear();
  return 0;
}

int Acceptor::out_of_resources() {
  PyErr_SetFromErrno(PyExc_OSError);
  const Ref exception = take_exception();
  // The kernel goes on reporting the socket as ready, so it is not watched for a while.
  io.poller->watch(0);
  const Ref result = Ref::steal(PyObject_CallMethodObjArgs(loop_object, loop->names()._report_accept_error, io.object,
                                                           exception.get(), socket, nullptr));
  return result ? 0 : -1;
}

int Acceptor::traverse(PyObject* self, visitproc visit, void* arg) {
  Acceptor* acceptor = from(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(acceptor->loop_object);
  Py_VISIT(acceptor->protocol_factory);
  Py_VISIT(acceptor->socket);
  Py_VISIT(acceptor->server);
  Py_VISIT(acceptor->tls);
  Py_VISIT(acceptor->context);
  return 0;
}

int Acceptor::clear(PyObject* self) {
  Acceptor* acceptor = from(self);
  Py_CLEAR(acceptor->protocol_factory);
  Py_CLEAR(acceptor->socket);
  Py_CLEAR(acceptor->server);
  Py_CLEAR(acceptor->tls);
  Py_CLEAR(acceptor->context);
  return 0;
}

void Acceptor::dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Acceptor* acceptor = from(self);
  loop_closes(&acceptor->io);
  clear(self);
  const Ref loop = Ref::steal(std::exchange(acceptor->loop_object, nullptr));
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace mainspring
