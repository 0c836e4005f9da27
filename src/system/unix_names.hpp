// The names of UNIX sockets.
#pragma once

namespace mainspring::system {

// Whether there are names that are no paths, of bytes that begin with zero. Where there are none, zeros are no name.
#ifdef __linux__
constexpr bool kAbstractNames = true;
#else
constexpr bool kAbstractNames = false;
#endif

}  // namespace mainspring::system
