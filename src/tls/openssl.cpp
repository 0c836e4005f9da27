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
         find_symbol(library, "SSL_has_pending", ssl_has_pending) && find_symbol(library, "SSL_get_error", ssl_error) &&
         find_symbol(library, "SSL_get_rbio", ssl_read_bio) && find_symbol(library, "SSL_get_wbio", ssl_write_bio) &&
         find_symbol(library, "BIO_read", bio_read) && find_symbol(library, "BIO_write", bio_write) &&
         find_symbol(library, "BIO_ctrl_pending", bio_pending) &&
         find_symbol(library, "SSL_set0_rbio", ssl_set_read_bio) &&
         find_symbol(library, "SSL_set0_wbio", ssl_set_write_bio) && find_symbol(library, "BIO_new", bio_new) &&
         find_symbol(library, "BIO_up_ref", bio_add_reference) && find_symbol(library, "BIO_free", bio_free) &&
         find_symbol(library, "BIO_set_data", bio_set_data) && find_symbol(library, "BIO_get_data", bio_get_data) &&
         find_symbol(library, "BIO_set_init", bio_set_init) && find_symbol(library, "BIO_set_flags", bio_set_flags) &&
         find_symbol(library, "BIO_clear_flags", bio_clear_flags) &&
         find_symbol(library, "BIO_meth_new", bio_method_new) &&
         find_symbol(library, "BIO_meth_free", bio_method_free) &&
         find_symbol(library, "BIO_meth_set_read", bio_method_set_read) &&
         find_symbol(library, "BIO_meth_set_write", bio_method_set_write) &&
         find_symbol(library, "BIO_meth_set_ctrl", bio_method_set_control);
}

}  // namespace mainspring::openssl
