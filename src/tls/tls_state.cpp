#include "tls/tls_state.hpp"

#include <memory>
#include <new>

#include "loop/module_state.hpp"

namespace mainspring {

namespace {

// How `_ssl` lays out its objects (Modules/_ssl.c), since Python 3.11; find_pointers() and check_layout() verify it.
struct RawSocket {
  PyObject_HEAD PyObject* socket;
  openssl::Ssl* ssl;
  PyObject* context;
};

struct MemoryBio {
  PyObject_HEAD openssl::Bio* bio;
};

PyObject* attribute(const Ref& object, const char* name) {
  return object ? PyObject_GetAttrString(object.get(), name) : nullptr;
}

}  // namespace

TlsState* TlsState::of(ModuleState& module) {
  if (module.tls) return module.tls;
  std::unique_ptr<TlsState> made(new (std::nothrow) TlsState());
  if (!made) {
    PyErr_NoMemory();
    return nullptr;
  }
  made->usable = made->fill();
  PyErr_Clear();
  // What it imports and calls lets other threads run, and a loop of one of them may have been first.
  if (!module.tls) {
    if (made->usable) module.tls_transports.type = made->transport.type();
    module.tls = made.release();
  }
  return module.tls;
}

bool TlsState::fill() {
  const Ref protocol = Ref::steal(PyImport_ImportModule("asyncio.sslproto"));
  const Ref ssl = Ref::steal(PyImport_ImportModule("ssl"));
  const Ref raw = Ref::steal(PyImport_ImportModule("_ssl"));
  const Ref states = Ref::steal(attribute(protocol, "SSLProtocolState"));
  do_handshake = Ref::steal(attribute(states, "DO_HANDSHAKE"));
  wrapped = Ref::steal(attribute(states, "WRAPPED"));
  flushing = Ref::steal(attribute(states, "FLUSHING"));
  shutdown = Ref::steal(attribute(states, "SHUTDOWN"));
  again_errors = Ref::steal(attribute(protocol, "SSLAgainErrors"));
  const Ref app_states = Ref::steal(attribute(protocol, "AppProtocolState"));
  app_state_init = Ref::steal(attribute(app_states, "STATE_INIT"));
  raw_type = Ref::steal(attribute(raw, "_SSLSocket"));
  object_type = Ref::steal(attribute(ssl, "SSLObject"));
  if (!do_handshake || !wrapped || !flushing || !shutdown || !again_errors || !app_state_init || !raw_type ||
      !object_type || !guard_transport(protocol.get())) {
    return false;
  }
  // Where `_ssl` is built into the interpreter there is no telling which OpenSSL is its own.
  const Ref path = Ref::steal(attribute(raw, "__file__"));
  const Ref version = Ref::steal(attribute(raw, "OPENSSL_VERSION_NUMBER"));
  if (!path || !version) return false;
  const char* file = PyUnicode_AsUTF8(path.get());
  const unsigned long number = PyLong_AsUnsignedLong(version.get());
  return file && !PyErr_Occurred() && openssl.find(file, number) && bios.make(openssl) && check_layout(ssl.get());
}

bool TlsState::guard_transport(PyObject* sslproto) {
  static constexpr const char* names[] = {"write", "is_closing", "__getattribute__", "__setattr__", nullptr};
  const Ref module = Ref::steal(PyImport_ImportModule("mainspring._tls"));
  PyObject* type = attribute(module, "TlsTransport");
  return type && transport.remember(reinterpret_cast<PyTypeObject*>(type), PyModule_GetDict(sslproto), names);
}

bool TlsState::check_layout(PyObject* ssl_module) {
  const Ref incoming = Ref::steal(PyObject_CallMethod(ssl_module, "MemoryBIO", nullptr));
  const Ref outgoing = Ref::steal(PyObject_CallMethod(ssl_module, "MemoryBIO", nullptr));
  const Ref kind = Ref::steal(PyObject_GetAttrString(ssl_module, "PROTOCOL_TLS_CLIENT"));
  if (!incoming || !outgoing || !kind) return false;
  const Ref context = Ref::steal(PyObject_CallMethod(ssl_module, "SSLContext", "O", kind.get()));
  if (!context) return false;
  const Ref object = Ref::steal(
      PyObject_CallMethod(context.get(), "wrap_bio", "OOOs", incoming.get(), outgoing.get(), Py_False, "localhost"));
  const Ref raw = Ref::steal(attribute(object, "_sslobj"));
  Pointers found;
  return raw && find_pointers(raw.get(), context.get(), incoming.get(), outgoing.get(), &found);
}

bool TlsState::find_pointers(PyObject* raw, PyObject* context, PyObject* incoming, PyObject* outgoing,
                             Pointers* found) const {
  if (Py_TYPE(raw)->tp_basicsize < static_cast<Py_ssize_t>(sizeof(RawSocket)) ||
      Py_TYPE(incoming)->tp_basicsize < static_cast<Py_ssize_t>(sizeof(MemoryBio)) ||
      Py_TYPE(outgoing)->tp_basicsize < static_cast<Py_ssize_t>(sizeof(MemoryBio))) {
    return false;
  }
  const auto* words = reinterpret_cast<RawSocket*>(raw);
  // Over a BIO there is no socket. Only when both neighbours are right is the word between them taken for a pointer.
  if (words->socket || words->context != context || !words->ssl) return false;
  found->ssl = words->ssl;
  found->incoming = reinterpret_cast<MemoryBio*>(incoming)->bio;
  found->outgoing = reinterpret_cast<MemoryBio*>(outgoing)->bio;
  return found->incoming && openssl.ssl_read_bio(found->ssl) == found->incoming && found->outgoing &&
         openssl.ssl_write_bio(found->ssl) == found->outgoing;
}

}  // namespace mainspring
