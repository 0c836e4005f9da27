#include "python/ref.hpp"

#include "loop/signal_pipe.hpp"

#include <unistd.h>

#include "system/descriptors.hpp"

namespace mainspring {

void SignalPipe::open(uv::EventLoop& loop, Waits& waits, void* owner, uv::Poller::Serve serve) {
  if (is_open()) return;
  int ends[2];
  system::make_pipe(ends);
  // The number may be that of a descriptor that the program has closed without a word.
  waits.forget(ends[0]);
  try {
    poller_ = uv::Poller::open(loop, ends[0], owner, serve, uv::Poller::kReadable);
  } catch (...) {
    ::close(ends[0]);
    ::close(ends[1]);
    throw;
  }
  read_end_ = ends[0];
  write_end_ = ends[1];
}

void SignalPipe::renew() {
  if (!is_open()) return;
  int ends[2];
  system::make_pipe(ends);
  try {
    system::replace_descriptor(read_end_, ends[0]);
  } catch (...) {
    ::close(ends[1]);
    throw;
  }
  system::replace_descriptor(write_end_, ends[1]);
}

void SignalPipe::close() {
  if (!is_open()) return;
  poller_->close();
  poller_ = nullptr;
  ::close(read_end_);
  ::close(write_end_);
  read_end_ = write_end_ = -1;
}

size_t SignalPipe::read(unsigned char* numbers, size_t size) {
  const ssize_t count = ::read(read_end_, numbers, size);
  return count > 0 ? static_cast<size_t>(count) : 0;
}

void SignalPipe::forward(const unsigned char* numbers, size_t count) {
  if (foreign_ < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(foreign_, numbers, count);
}

void SignalPipe::begin_wait() {
#if PY_VERSION_HEX >= 0x030D0000
  const int previous = PySignal_SetWakeupFd(write_end_);
  own_ = previous == write_end_;
  set_foreign(previous);
#endif
}

void SignalPipe::end_wait() {
#if PY_VERSION_HEX >= 0x030D0000
  if (!own_) PySignal_SetWakeupFd(foreign_);
#endif
}

}  // namespace mainspring
