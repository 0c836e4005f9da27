// Notices that a program has replaced time.monotonic, as tools that freeze the time do.
//
// The default loop asks time.monotonic at each look at the clock, so a replacement moves it. Looking the function up as
// often would cost more than the clock itself: the interpreter tells of changes to the module's dict instead. Owned by
// the ModuleState.
#pragma once

#include <atomic>
#include <cstdint>

#include "python/ref.hpp"

namespace mainspring {

class TimeModule {
 public:
  // Imports `time`. False with an exception set.
  bool open();

  // Whether time.monotonic is not the interpreter's own function.
  bool monotonic_is_replaced() {
    const uint64_t version = current_version();
    if (version != seen_version_) [[unlikely]] {
      seen_version_ = version;
      look();
    }
    return replaced_;
  }

 private:
  uint64_t current_version() const;
  void look();

  PyObject* dict_ = nullptr;
  bool watched_ = false;
  bool replaced_ = false;
  uint64_t seen_version_ = 0;
};

}  // namespace mainspring
