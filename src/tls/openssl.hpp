// The functions of OpenSSL that TLS needs, found in the library that Python's `_ssl` itself has loaded.
//
// Nothing is linked and no header of OpenSSL is used: the objects belong to `_ssl`, so only its own library may touch
// them, whichever version that is. One table per interpreter, kept by TlsState.
#pragma once

#include <cstddef>

namespace mainspring::openssl {

struct Ssl;
struct Bio;
struct BioMethod;

// Results of SSL_get_error (openssl/ssl.h).
inline constexpr int kWantRead = 2;
inline constexpr int kWantWrite = 3;

struct Functions {
  int (*ssl_read)(Ssl* ssl, void* target, size_t size, size_t* count) = nullptr;
  int (*ssl_write)(Ssl* ssl, const void* data, size_t size, size_t* count) = nullptr;
  int (*ssl_has_pending)(const Ssl* ssl) = nullptr;
  int (*ssl_error)(const Ssl* ssl, int result) = nullptr;
  Bio* (*ssl_read_bio)(const Ssl* ssl) = nullptr;
  Bio* (*ssl_write_bio)(const Ssl* ssl) = nullptr;
  int (*bio_read)(Bio* bio, void* target, int size) = nullptr;
  int (*bio_write)(Bio* bio, const void* data, int size) = nullptr;
  size_t (*bio_pending)(Bio* bio) = nullptr;

  // For BIOs of our own.
  void (*ssl_set_read_bio)(Ssl* ssl, Bio* stolen) = nullptr;
  void (*ssl_set_write_bio)(Ssl* ssl, Bio* stolen) = nullptr;
  Bio* (*bio_new)(const BioMethod* method) = nullptr;
  int (*bio_add_reference)(Bio* bio) = nullptr;
  int (*bio_free)(Bio* bio) = nullptr;
  void (*bio_set_data)(Bio* bio, void* data) = nullptr;
  void* (*bio_get_data)(Bio* bio) = nullptr;
  void (*bio_set_init)(Bio* bio, int value) = nullptr;
  void (*bio_set_flags)(Bio* bio, int flags) = nullptr;
  void (*bio_clear_flags)(Bio* bio, int flags) = nullptr;
  BioMethod* (*bio_method_new)(int type, const char* name) = nullptr;
  void (*bio_method_free)(BioMethod* method) = nullptr;
  int (*bio_method_set_read)(BioMethod* method, int (*read)(Bio*, char*, int)) = nullptr;
  int (*bio_method_set_write)(BioMethod* method, int (*write)(Bio*, const char*, int)) = nullptr;
  int (*bio_method_set_control)(BioMethod* method, long (*control)(Bio*, int, long, void*)) = nullptr;

  // Fills the table from the shared library `path`, which must be loaded already. False when something is missing or
  // the library is not version `version` (OPENSSL_VERSION_NUMBER).
  bool find(const char* path, unsigned long version);
};

}  // namespace mainspring::openssl
