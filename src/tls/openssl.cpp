#include "tls/openssl.hpp"

#include <dlfcn.h>

namespace mainspring::openssl {

namespace {

template <typename Function>
bool find_symbol(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

bool Functions::find(const char* path, unsigned long version) {
  // The handle looks into the library and into what it depends on. It is not closed: `_ssl` stays loaded.
  void* library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
  if (!library) return false;
  unsigned long (*version_number)() = nullptr;
  if (!find_symbol(library, "OpenSSL_version_num", version_number) || version_number() != version) return false;
  return find_symbol(library, "SSL_read_ex", ssl_read) && find_symbol(library, "SSL_write_ex", ssl_write) &&
         find_symbol(library, "SSL_get_error", ssl_error) && find_symbol(library, "SSL_get_rbio", ssl_read_bio) &&
         find_symbol(library, "SSL_get_wbio", ssl_write_bio) && find_symbol(library, "BIO_read", bio_read) &&
         find_symbol(library, "BIO_write", bio_write) && find_symbol(library, "BIO_ctrl_pending", bio_pending) &&
         find_symbol(library, "ERR_clear_error", clear_errors);
}

}  // namespace mainspring::openssl
