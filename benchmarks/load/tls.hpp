// TlsClient: the client's side of TLS for all connections, by the system's OpenSSL, which is loaded when it is asked
// for: neither building nor using the generator without TLS needs it. Owned by the Generator. Certificates are not
// verified: only the server's work is measured.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace load {

class TlsClient {
 public:
  using Session = void*;

  // What an operation came to when it moved no bytes.
  static constexpr long wants_more = -1, closed = -2, failed = -3;

  explicit TlsClient(const std::string& library) {
    library_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library_) throw std::runtime_error(dlerror());
    const auto method = find<const void* (*)()>("TLS_client_method");
    const auto new_context = find<void* (*)(const void*)>("SSL_CTX_new");
    find(new_session_, "SSL_new");
    find(set_descriptor_, "SSL_set_fd");
    find(connect_, "SSL_connect");
    find(read_, "SSL_read");
    find(write_, "SSL_write");
    find(error_, "SSL_get_error");
    context_ = new_context(method());
    if (!context_) throw std::runtime_error("SSL_CTX_new failed");
    const auto control = find<long (*)(void*, int, long, void*)>("SSL_CTX_ctrl");
    control(context_, set_mode, enable_partial_write | accept_moving_buffer, nullptr);
    control(context_, set_read_ahead, 1, nullptr);
    find<void (*)(void*, std::size_t)>("SSL_CTX_set_default_read_buffer_len")(context_, std::size_t{128} * 1024);
  }

  Session start(int descriptor) {
    Session session = new_session_(context_);
    if (!session || set_descriptor_(session, descriptor) != 1) throw std::runtime_error("SSL_new failed");
    return session;
  }

  // One step of the handshake; true when it is done.
  bool handshake(Session session) {
    const int result = connect_(session);
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

 private:
  // From openssl/ssl.h.
  static constexpr int want_read = 2, want_write = 3, zero_return = 6;
  static constexpr int set_mode = 33, set_read_ahead = 41;
  static constexpr long enable_partial_write = 1, accept_moving_buffer = 2;

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

  // Sessions, context and library live as long as the process.
  void* library_ = nullptr;
  void* context_ = nullptr;
  void* (*new_session_)(void*) = nullptr;
  int (*set_descriptor_)(void*, int) = nullptr;
  int (*connect_)(void*) = nullptr;
  int (*read_)(void*, void*, int) = nullptr;
  int (*write_)(void*, const void*, int) = nullptr;
  int (*error_)(const void*, int) = nullptr;
};

}  // namespace load
