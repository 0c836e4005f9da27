// What send() takes so that a peer that has gone is an error and no signal.
#pragma once

#include <sys/socket.h>

#include "system/portable.hpp"

namespace mainspring::system {

#if MAINSPRING_PORTABLE
// Not every system has it. Python ignores SIGPIPE from its start, which is all that the default loop relies on.
constexpr int kNoSignal = 0;
#else
constexpr int kNoSignal = MSG_NOSIGNAL;
#endif

}  // namespace mainspring::system
