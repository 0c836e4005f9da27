// libuv's negative status codes as std::system_error.
//
// libuv reports -errno on UNIX (https://docs.libuv.org/en/v1.x/errors.html), so the conversion is a sign. The bindings
// turn the exception into the matching subclass of OSError.
#pragma once

#include <cerrno>
#include <system_error>

namespace mainspring::uv {

[[noreturn]] inline void fail(int status, const char* what) {
  throw std::system_error(-status, std::generic_category(), what);
}

inline void check(int status, const char* what) {
  if (status < 0) fail(status, what);
}

[[noreturn]] inline void fail_with_errno(const char* what) { fail(-errno, what); }

}  // namespace mainspring::uv
