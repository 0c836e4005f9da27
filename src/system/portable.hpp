// Which of its two ways each file of this folder takes: Linux's own system calls, or what every POSIX system and libuv
// have. CMake's option MAINSPRING_PORTABLE takes the second on Linux too, where the tests run it.
#pragma once

#ifndef MAINSPRING_PORTABLE
#ifdef __linux__
#define MAINSPRING_PORTABLE 0
#else
#define MAINSPRING_PORTABLE 1
#endif
#endif

namespace mainspring::system {

constexpr bool kPortable = MAINSPRING_PORTABLE;

}  // namespace mainspring::system
