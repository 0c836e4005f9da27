// A descriptor that any thread can make readable: Linux's eventfd, elsewhere a pipe.
#pragma once

#include "system/descriptors.hpp"

#if !MAINSPRING_PORTABLE
#include <sys/eventfd.h>
#endif

namespace mainspring::system {

#if MAINSPRING_PORTABLE

class WakeDescriptor {
 public:
  // Throws std::system_error.
  WakeDescriptor() { make_pipe(ends_); }
  WakeDescriptor(const WakeDescriptor&) = delete;
  WakeDescriptor& operator=(const WakeDescriptor&) = delete;
  ~WakeDescriptor() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }

  // What becomes readable.
  int number() const { return ends_[0]; }

  // In a forked child: one of its own, under the same number. Throws std::system_error.
  void renew() {
    int fresh[2];
    make_pipe(fresh);
    try {
      replace_descriptor(ends_[0], fresh[0]);
    } catch (...) {
      ::close(fresh[1]);
      throw;
    }
    replace_descriptor(ends_[1], fresh[1]);
  }

  // A full pipe is readable already.
  void wake() noexcept {
    while (::write(ends_[1], "", 1) < 0 && errno == EINTR) {
    }
  }

  // Not readable any more. Where there are more wake-ups than this takes at a time it stays so.
  void clear() {
    char wakes[1024];
    [[maybe_unused]] const ssize_t size = ::read(ends_[0], wakes, sizeof wakes);
  }

 private:
  int ends_[2];
};

#else

class WakeDescriptor {
 public:
  // Throws std::system_error.
  WakeDescriptor() : number_(make()) {}
  WakeDescriptor(const WakeDescriptor&) = delete;
  WakeDescriptor& operator=(const WakeDescriptor&) = delete;
  ~WakeDescriptor() { ::close(number_); }

  // What becomes readable.
  int number() const { return number_; }

  // In a forked child: one of its own, under the same number. Throws std::system_error.
  void renew() { replace_descriptor(number_, make()); }

  void wake() noexcept {
    while (eventfd_write(number_, 1) < 0 && errno == EINTR) {
    }
  }

  // Nothing has to be taken out: each wake-up is told of as an arrival, whatever the count is.
  void clear() {}

 private:
  static int make() {
    const int number = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (number < 0) fail(errno, "eventfd");
    return number;
  }

  int number_;
};

#endif

}  // namespace mainspring::system
