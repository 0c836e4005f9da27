// Zeros over what must not stay in memory, written although nobody reads them.
#pragma once

#include <cstddef>
#include <cstring>

#include "system/portable.hpp"

namespace mainspring::system {

#if MAINSPRING_PORTABLE
inline void cleanse(void* memory, size_t size) {
  std::memset(memory, 0, size);
  __asm__ volatile("" : : "r"(memory) : "memory");
}
#else
inline void cleanse(void* memory, size_t size) { explicit_bzero(memory, size); }
#endif

}  // namespace mainspring::system
