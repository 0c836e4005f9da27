// TlsState: what driving TLS needs once per interpreter: OpenSSL's functions, the proof that `_ssl` keeps its pointers
// where this code looks for them, and objects of asyncio.sslproto. Made with the first TLS connection, owned by the
// module's state.
#pragma once

#include "python/class_guard.hpp"
#include "tls/memory_bio.hpp"

namespace mainspring {

struct ModuleState;

struct TlsState {
  openssl::Functions openssl;
  bool usable = false;
  MemoryBios bios;
  // Small amounts of plaintext on their way into a bytes object, and overwritten there.
  char scratch[64 * 1024];

  // Types of the modules `_ssl` and `ssl`.
  Ref raw_type;
  Ref object_type;
  // asyncio.sslproto.SSLProtocolState's members, which are compared by identity, and SSLAgainErrors.
  Ref do_handshake;
  Ref wrapped;
  Ref flushing;
  Ref shutdown;
  Ref again_errors;
  Ref app_state_init;    // asyncio.sslproto.AppProtocolState.STATE_INIT
  ClassGuard transport;  // mainspring._tls.TlsTransport

  TlsState() = default;
  TlsState(const TlsState&) = delete;
  TlsState& operator=(const TlsState&) = delete;

  // The module's state, made where there is none; not usable, and without an exception, where anything is not as it has
  // to be. nullptr, with an exception, without memory.
  static TlsState* of(ModuleState& module);

  // The pointers inside an ssl.SSLObject over two ssl.MemoryBIO.
  struct Pointers {
    openssl::Ssl* ssl;
    openssl::Bio* incoming;
    openssl::Bio* outgoing;
  };

  // Reads them out of `raw`, an _ssl._SSLSocket. False, without an exception, unless the word where `_ssl` keeps the
  // context is `context` and OpenSSL confirms both BIOs.
  bool find_pointers(PyObject* raw, PyObject* context, PyObject* incoming, PyObject* outgoing, Pointers* found) const;

 private:
  bool fill();
  bool guard_transport(PyObject* sslproto);
  bool check_layout(PyObject* ssl_module);
};

}  // namespace mainspring
