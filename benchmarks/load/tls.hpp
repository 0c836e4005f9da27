// Tls: one side of TLS for all connections of a process, by the system's OpenSSL, which is loaded when it is asked
// for: neither building nor using these programs without TLS needs it. Certificates are not verified: only the
// server's work is measured.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace load {

class Tls {
 public:
  using Session = void*;

  // What an operation came to when it moved no bytes.
  static constexpr long wants_more = -1, closed = -2, failed = -3;

  static Tls client(const std::string& library) { return Tls(library, "TLS_client_method", "SSL_set_connect_state"); }

  // The certificate and its key are files in PEM.
  static Tls server(const std::string& library, const std::string& certificate, const std::string& key) {
    Tls tls(library, "TLS_server_method", "SSL_set_accept_state");
    constexpr int pem = 1;
    if (tls.find<int (*)(void*, const char*)>("SSL_CTX_use_certificate_chain_file")(tls.context_,
                                                                                    certificate.c_str()) != 1 ||
        tls.find<int (*)(void*, const char*, int)>("SSL_CTX_use_PrivateKey_file")(tls.context_, key.c_str(), pem) != 1)
      throw std::runtime_error("OpenSSL does not take the certificate or its key");
    return tls;
  }

  Session start(int descriptor) {
    Session session = new_session_(context_);
    if (!session || set_descriptor_(session, descriptor) != 1) throw std::runtime_error("SSL_new failed");
    set_role_(session);
    return session;
  }

  // As start(), but what is written is collected until flush(), so that the records of one message leave together.
  Session start_collecting(int descriptor) {
    Session session = new_session_(context_);
    if (!session) throw std::runtime_error("SSL_new failed");
    constexpr int keep_open = 0, set_buffer_size = 117, for_writing = 1;
    constexpr long buffer_size = 128L * 1024;
    void* buffer = new_bio_(buffer_method_());
    control_bio_int_(buffer, set_buffer_size, buffer_size, for_writing);
    set_bios_(session, new_socket_bio_(descriptor, keep_open),
              push_bio_(buffer, new_socket_bio_(descriptor, keep_open)));
    set_role_(session);
    return session;
  }

  // True when nothing collected is left.
  bool flush(Session session) {
    constexpr int flush_bio = 11;
    return control_bio_(write_bio_(session), flush_bio, 0, nullptr) > 0;
  }

  // One step of the handshake; true when it is done.
  bool handshake(Session session) {
    const int result = handshake_(session);
    if (result == 1) return true;
    if (outcome(session, result) != wants_more) throw std::runtime_error("the TLS handshake failed");
    return false;
  }

  long write(Session session, const char* data, std::size_t size) {
    const int count = write_(session, data, static_cast<int>(size));
    return count > 0 ? count : outcome(session, count);
  }

  long read(Session session, char* data, std::size_t size) {
    const int count = read_(session, data, static_cast<int>(size));
    return count > 0 ? count : outcome(session, count);
  }

  // Says goodbye to the peer, without waiting for its own.
  void end(Session session) {
    shutdown_(session);
    forget(session);
  }

  // For a connection that is broken.
  void forget(Session session) {
    clear_errors_();
    free_(session);
  }

 private:
  // From openssl/ssl.h.
  static constexpr int want_read = 2, want_write = 3, zero_return = 6;
  static constexpr int set_mode = 33, set_read_ahead = 41;
  static constexpr long enable_partial_write = 1, accept_moving_buffer = 2;

  Tls(const std::string& library, const char* method, const char* role) {
    library_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library_) throw std::runtime_error(dlerror());
    find(new_session_, "SSL_new");
    find(set_descriptor_, "SSL_set_fd");
    find(set_role_, role);
    find(handshake_, "SSL_do_handshake");
    find(read_, "SSL_read");
    find(write_, "SSL_write");
    find(error_, "SSL_get_error");
    find(clear_errors_, "ERR_clear_error");
    find(shutdown_, "SSL_shutdown");
    find(free_, "SSL_free");
    find(set_bios_, "SSL_set_bio");
    find(write_bio_, "SSL_get_wbio");
    find(new_bio_, "BIO_new");
    find(new_socket_bio_, "BIO_new_socket");
    find(buffer_method_, "BIO_f_buffer");
    find(push_bio_, "BIO_push");
    find(control_bio_, "BIO_ctrl");
    find(control_bio_int_, "BIO_int_ctrl");
    context_ = find<void* (*)(const void*)>("SSL_CTX_new")(find<const void* (*)()>(method)());
    if (!context_) throw std::runtime_error("SSL_CTX_new failed");
    const auto control = find<long (*)(void*, int, long, void*)>("SSL_CTX_ctrl");
    control(context_, set_mode, enable_partial_write | accept_moving_buffer, nullptr);
    control(context_, set_read_ahead, 1, nullptr);
    find<void (*)(void*, std::size_t)>("SSL_CTX_set_default_read_buffer_len")(context_, std::size_t{128} * 1024);
  }

  template <typename Function>
  Function find(const char* name) {
    void* symbol = dlsym(library_, name);
    if (!symbol) throw std::runtime_error("OpenSSL has no " + std::string(name));
    return reinterpret_cast<Function>(symbol);
  }

  template <typename Function>
  void find(Function& function, const char* name) {
    function = find<Function>(name);
  }

  long outcome(Session session, int result) {
    switch (error_(session, result)) {
      case want_read:
      case want_write:
        return wants_more;
      case zero_return:
        return closed;
      default:
        return failed;
    }
  }

  // Context and library live as long as the process.
  void* library_ = nullptr;
  void* context_ = nullptr;
  void* (*new_session_)(void*) = nullptr;
  int (*set_descriptor_)(void*, int) = nullptr;
  void (*set_role_)(void*) = nullptr;
  int (*handshake_)(void*) = nullptr;
  int (*read_)(void*, void*, int) = nullptr;
  int (*write_)(void*, const void*, int) = nullptr;
  int (*error_)(const void*, int) = nullptr;
  void (*clear_errors_)() = nullptr;
  int (*shutdown_)(void*) = nullptr;
  void (*free_)(void*) = nullptr;
  void (*set_bios_)(void*, void*, void*) = nullptr;
  void* (*write_bio_)(const void*) = nullptr;
  void* (*new_bio_)(const void*) = nullptr;
  void* (*new_socket_bio_)(int, int) = nullptr;
  const void* (*buffer_method_)() = nullptr;
  void* (*push_bio_)(void*, void*) = nullptr;
  long (*control_bio_)(void*, int, long, void*) = nullptr;
  long (*control_bio_int_)(void*, int, long, int) = nullptr;
};

}  // namespace load
