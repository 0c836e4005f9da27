#include "sockets/socket_call.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "loop/address.hpp"
#include "python/buffer.hpp"
#include "system/descriptors.hpp"
#include "system/no_signal.hpp"

namespace mainspring {

namespace {

using Outcome = SocketCall::Outcome;

// Receiving into the result itself saves a copy, but costs an allocation that may be far too large. It is done when
// the last receive was at least this large, and filled at least half of what is asked for now.
constexpr Py_ssize_t kLeastDirect = 16 * 1024;
constexpr Py_ssize_t kMostDirect = 256 * 1024;

Outcome failed() {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return Outcome::kBlocked;
  PyErr_SetFromErrno(PyExc_OSError);
  return Outcome::kFailed;
}

// The errors that Python has as BlockingIOError and InterruptedError.
bool goes_on(int error) {
  return error == EINPROGRESS || error == EALREADY || error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

Outcome done(Ref& result, PyObject* made) {
  result = Ref::steal(made);
  return made ? Outcome::kDone : Outcome::kFailed;
}

// An exact int that is not negative; Python says what is wrong with anything else.
bool plain_size(PyObject* object, Py_ssize_t* size) {
  if (!PyLong_CheckExact(object)) return false;
  *size = PyLong_AsSsize_t(object);
  return *size >= 0;
}

// What send() takes without looking at shape and format.
bool plain_data(PyObject* object) {
  return PyBytes_CheckExact(object) || PyByteArray_CheckExact(object) ||
         (PyMemoryView_Check(object) && PyMemoryView_GET_BUFFER(object)->itemsize == 1 &&
          PyMemoryView_GET_BUFFER(object)->ndim == 1);
}

// Where a receiving call puts the sender's address.
struct Sender {
  sockaddr_storage storage;
  socklen_t size = sizeof storage;

  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&storage); }
};

ssize_t receive_once(int fd, void* memory, size_t size, Sender* sender) {
  ssize_t received;
  do {
    received = sender ? recvfrom(fd, memory, size, MSG_DONTWAIT, sender->generic(), &sender->size)
                      : recv(fd, memory, size, MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  return received;
}

// (value, the sender's address), or `value` alone for calls without an address.
PyObject* with_sender(PyObject* stolen, Sender* sender) {
  Ref value = Ref::steal(stolen);
  if (!value || !sender) return value.release();
  const Ref address = Ref::steal(address_to_python(sender->generic(), sender->size));
  return address ? PyTuple_Pack(2, value.get(), address.get()) : nullptr;
}

}  // namespace

bool SocketCall::descriptor(Loop* loop, int* fd) const {
  PyObject* arguments[] = {nullptr, socket};
  const Ref number = Ref::steal(
      PyObject_Vectorcall(loop->state().socket_fileno, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  if (!number) return false;
  *fd = static_cast<int>(PyLong_AsLong(number.get()));
  return *fd >= 0 || !PyErr_Occurred();
}

bool SocketCall::attribute(PyObject* member, int* value) const {
  const Ref number =
      Ref::steal(Py_TYPE(member)->tp_descr_get(member, socket, reinterpret_cast<PyObject*>(Py_TYPE(socket))));
  if (!number) return false;
  *value = static_cast<int>(PyLong_AsLong(number.get()));
  return *value >= 0 || !PyErr_Occurred();
}

bool SocketCall::has_known_addresses(Loop* loop, int* family) const {
  return attribute(loop->state().socket_family, family) &&
         (*family == AF_INET || *family == AF_INET6 || *family == AF_UNIX);
}

Outcome SocketCall::attempt(Loop* loop, int fd, Ref& result) {
  switch (kind) {
    case kRecv:
    case kRecvFrom:
      return receive(loop, fd, result);
    case kRecvInto:
    case kRecvFromInto:
      return receive_into(loop, fd, result);
    case kSendAll:
      return send_all(loop, fd, result);
    case kSendTo:
      return send_to(loop, fd, result);
    case kConnect:
      return second ? connected(fd, result) : connect(loop, fd, result);
    default:
      return accept(loop, fd, result);
  }
}

Outcome SocketCall::receive(Loop* loop, int fd, Ref& result) const {
  Py_ssize_t size;
  if (!plain_size(first, &size)) return Outcome::kUnsuited;
  Sender storage;
  Sender* sender = nullptr;
  if (kind == kRecvFrom) {
    int family;
    if (!has_known_addresses(loop, &family)) return Outcome::kUnsuited;
    sender = &storage;
  }
  const auto buffer_size = static_cast<Py_ssize_t>(Loop::kReadBufferSize);
  if (size > buffer_size) {
    // No object of the full size, which the program may have chosen freely, is made and shrunk again; but a datagram
    // must not be cut.
    int waiting = 0;
    if (ioctl(fd, FIONREAD, &waiting) < 0) waiting = 0;
    size = std::min(size, std::max(static_cast<Py_ssize_t>(waiting), buffer_size));
  }
  Py_ssize_t& last = loop->last_received;
  PyObject* bytes = nullptr;
  ssize_t received;
  if (size > buffer_size || (size <= kMostDirect && last >= kLeastDirect && last > size / 2) || !loop->read_buffer()) {
    bytes = PyBytes_FromStringAndSize(nullptr, size);
    if (!bytes) return Outcome::kFailed;
    received = receive_once(fd, PyBytes_AS_STRING(bytes), static_cast<size_t>(size), sender);
    if (received < 0) {
      const int error = errno;
      Py_DECREF(bytes);
      errno = error;
      return failed();
    }
    if (received < size && _PyBytes_Resize(&bytes, received) < 0) return Outcome::kFailed;
  } else {
    received = receive_once(fd, loop->read_buffer(), static_cast<size_t>(size), sender);
    if (received < 0) return failed();
    bytes = PyBytes_FromStringAndSize(loop->read_buffer(), received);
  }
  last = received;
  loop->counters.received(static_cast<size_t>(received));
  return done(result, with_sender(bytes, sender));
}

Outcome SocketCall::receive_into(Loop* loop, int fd, Ref& result) const {
  Py_ssize_t most = 0;
  Sender storage;
  Sender* sender = nullptr;
  if (kind == kRecvFromInto) {
    int family;
    if (!has_known_addresses(loop, &family)) return Outcome::kUnsuited;
    if (second && !plain_size(second, &most)) return Outcome::kUnsuited;
    if (most == 0 && (most = PyObject_Size(first)) < 0) return Outcome::kUnsuited;
    sender = &storage;
  }
  Buffer buffer;
  if (!buffer.get(first, PyBUF_WRITABLE)) return Outcome::kUnsuited;
  if (most > static_cast<Py_ssize_t>(buffer.size())) return Outcome::kUnsuited;
  const size_t size = most > 0 ? static_cast<size_t>(most) : buffer.size();
  const ssize_t received = receive_once(fd, buffer.data(), size, sender);
  if (received < 0) return failed();
  loop->counters.received(static_cast<size_t>(received));
  return done(result, with_sender(PyLong_FromSsize_t(received), sender));
}

Outcome SocketCall::send_all(Loop* loop, int fd, Ref& result) {
  if (!data.obj) {
    if (!plain_data(first) || PyObject_GetBuffer(first, &data, PyBUF_SIMPLE) < 0) return Outcome::kUnsuited;
    sent = 0;
  }
  ssize_t count;
  do {
    count = send(fd, static_cast<char*>(data.buf) + sent, static_cast<size_t>(data.len - sent),
                 MSG_DONTWAIT | system::kNoSignal);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return failed();
  sent += count;
  loop->sent(static_cast<size_t>(count));
  return sent < data.len ? Outcome::kBlocked : done(result, Py_NewRef(Py_None));
}

Outcome SocketCall::send_to(Loop* loop, int fd, Ref& result) const {
  int family;
  sockaddr_storage storage;
  if (!has_known_addresses(loop, &family) || !plain_data(first)) return Outcome::kUnsuited;
  const socklen_t length = numeric_address(second, family, &storage);
  Buffer buffer;
  if (length == 0 || !buffer.get(first, PyBUF_SIMPLE)) return Outcome::kUnsuited;
  if (PySys_Audit("socket.sendto", "OO", socket, second) < 0) return Outcome::kFailed;
  ssize_t count;
  do {
    count = sendto(fd, buffer.data(), buffer.size(), MSG_DONTWAIT | system::kNoSignal,
                   reinterpret_cast<sockaddr*>(&storage), length);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return failed();
  loop->sent(static_cast<size_t>(count));
  return done(result, PyLong_FromSsize_t(count));
}

Outcome SocketCall::accept(Loop* loop, int fd, Ref& result) const {
  ModuleState& state = loop->state();
  int family, type, protocol;
  if (!has_known_addresses(loop, &family) || !attribute(state.socket_kind, &type) ||
      !attribute(state.socket_protocol, &protocol)) {
    return Outcome::kUnsuited;
  }
  Sender peer;
  int connection;
  int error;
  // The program may have made the file blocking through another of its descriptors.
  do {
    PyThreadState* thread = PyEval_SaveThread();
    connection = system::accept_connection(fd, peer.generic(), &peer.size);
    error = errno;
    PyEval_RestoreThread(thread);
    if (connection < 0 && error == EINTR && PyErr_CheckSignals() < 0) return Outcome::kFailed;
  } while (connection < 0 && error == EINTR);
  errno = error;
  if (connection < 0) return failed();
  const Ref made = Ref::steal(PyObject_CallFunction(reinterpret_cast<PyObject*>(state.socket_type), "iiii", family,
                                                    type | system::kTypeThatDoesNotBlock, protocol, connection));
  if (!made) {
    ::close(connection);
    return Outcome::kFailed;
  }
  if (system::kTypeThatDoesNotBlock == 0) {
    const Ref told = Ref::steal(PyObject_CallMethod(made.get(), "setblocking", "O", Py_False));
    if (!told) return Outcome::kFailed;
  }
  return done(result, with_sender(Py_NewRef(made.get()), &peer));
}

// Begins to connect, and keeps the address as `second`. What asyncio resolves by getaddrinfo() is Python's.
Outcome SocketCall::connect(Loop* loop, int fd, Ref& result) {
  ModuleState& state = loop->state();
  int family, type, protocol;
  if (!attribute(state.socket_family, &family) || (family != AF_INET && family != AF_INET6) ||
      !attribute(state.socket_kind, &type) || (type != SOCK_STREAM && type != SOCK_DGRAM) ||
      !attribute(state.socket_protocol, &protocol) ||
      (protocol != 0 && protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)) {
    return Outcome::kUnsuited;
  }
  sockaddr_storage storage;
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  const socklen_t length = numeric_address(first, family, &storage);
  if (length == 0) return Outcome::kUnsuited;
  Ref address = Ref::steal(address_to_python(generic, length));
  if (!address) return Outcome::kFailed;
  // An error shows the host as it was given.
  const int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(address.get(), 0), PyTuple_GET_ITEM(first, 0), Py_EQ);
  if (same <= 0) return Outcome::kUnsuited;
  if (PySys_Audit("socket.connect", "OO", socket, address.get()) < 0) return Outcome::kFailed;
  // The program may have made the file blocking through another of its descriptors.
  PyThreadState* thread = PyEval_SaveThread();
  const int error = ::connect(fd, generic, length) == 0 ? 0 : errno;
  PyEval_RestoreThread(thread);
  if (error == 0) return done(result, Py_NewRef(Py_None));
  if (!goes_on(error)) {
    errno = error;
    return failed();
  }
  second = address.release();
  return Outcome::kBlocked;
}

Outcome SocketCall::connected(int fd, Ref& result) const {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return failed();
  if (error == 0) return done(result, Py_NewRef(Py_None));
  if (goes_on(error)) return Outcome::kBlocked;
  const Ref text = Ref::steal(PyUnicode_FromFormat("Connect call failed %S", second));
  const Ref exception = Ref::steal(text ? PyObject_CallFunction(PyExc_OSError, "iO", error, text.get()) : nullptr);
  if (exception) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
  return Outcome::kFailed;
}

Outcome SocketCall::attempt_in_python(Ref& result) const {
  PyErr_Clear();
  PyObject* made = nullptr;
  if (kind == kRecvInto) {
    made = PyObject_CallMethod(socket, "recv_into", "O", first);
  } else if (kind == kRecvFromInto) {
    const Py_ssize_t size = PyObject_Size(first);
    if (size >= 0) made = PyObject_CallMethod(socket, "recvfrom_into", "On", first, size);
  } else if (kind == kSendTo) {
    made = PyObject_CallMethod(socket, "sendto", "OiO", first, 0, second);
  } else {
    PyErr_SetString(PyExc_SystemError, "arguments that cannot change have changed");
  }
  if (made || (!PyErr_ExceptionMatches(PyExc_BlockingIOError) && !PyErr_ExceptionMatches(PyExc_InterruptedError))) {
    return done(result, made);
  }
  PyErr_Clear();
  return Outcome::kBlocked;
}

void SocketCall::finish() {
  Py_buffer view = data;
  data.obj = nullptr;
  PyObject* old[] = {std::exchange(socket, nullptr), std::exchange(first, nullptr), std::exchange(second, nullptr)};
  PyBuffer_Release(&view);
  for (PyObject* object : old) Py_XDECREF(object);
}

int SocketCall::traverse(visitproc visit, void* arg) const {
  Py_VISIT(socket);
  Py_VISIT(first);
  Py_VISIT(second);
  Py_VISIT(data.obj);
  return 0;
}

}  // namespace mainspring
