// How a signal ends the loop's wait: Python's C handler writes the signal's number into this pipe.
//
// While the loop waits in the thread that runs signal handlers, the pipe is the process's wakeup descriptor (Python
// documentation, signal.set_wakeup_fd); for the rest of the time the program's own setting is in place. Before Python
// 3.13, which exports no function that would be cheap enough to call in each turn, the pipe is set for a whole
// run_forever (Loop.run_forever). What arrives for a descriptor that the program had set is passed on to it.
#pragma once

#include <cstddef>

#include "loop/waits.hpp"
#include "uv/poller.hpp"

namespace mainspring {

class SignalPipe {
 public:
  SignalPipe() = default;
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;
  ~SignalPipe() { close(); }

  // Makes the pipe and watches it; does nothing when that is done. Throws std::system_error.
  void open(uv::EventLoop& loop, Waits& waits, void* owner, uv::Poller::Serve serve);
  void close();

  // In a forked child: a pipe of its own, under the same numbers. Throws std::system_error.
  void renew();

  bool is_open() const { return poller_ != nullptr; }
  int write_end() const { return write_end_; }

  // Reads what has arrived; the number of bytes, 0 when there are none.
  size_t read(unsigned char* numbers, size_t size);

  // Passes what was read on to the descriptor that the program had set, if any.
  void forward(const unsigned char* numbers, size_t count);

  // The descriptor that the program had set, -1 for none.
  void set_foreign(int fd) { foreign_ = fd == write_end_ ? -1 : fd; }

  // Between the two calls the pipe is the wakeup descriptor. With the GIL.
  void begin_wait();
  void end_wait();

 private:
  uv::Poller* poller_ = nullptr;
  int read_end_ = -1;
  int write_end_ = -1;
  int foreign_ = -1;  // what the program had set when the last wait began
  bool own_ = false;  // the program (add_signal_handler) had set this pipe itself
};

}  // namespace mainspring
