// What a forked child does with descriptors that it would share with its parent.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "uv/failure.hpp"

namespace mainspring::uv {

// Puts `fresh`, which it takes over, in the place of `descriptor`, under the same number. Throws std::system_error.
inline void replace_descriptor(int descriptor, int fresh) {
  const int status = dup3(fresh, descriptor, O_CLOEXEC);
  const int error = errno;
  ::close(fresh);
  if (status < 0) fail(-error, "dup3");
}

}  // namespace mainspring::uv
