// No C++ exception may cross a native slot: guarded() turns it into the Python exception a caller expects.
#pragma once

#include <cerrno>
#include <new>
#include <system_error>

#include "python/ref.hpp"

namespace mainspring {

template <typename Body>
PyObject* guarded(Body body) {
  try {
    return body();
  } catch (const std::system_error& error) {
    errno = error.code().value();
    return PyErr_SetFromErrno(PyExc_OSError);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace mainspring
