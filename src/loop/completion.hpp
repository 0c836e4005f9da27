// Something finished in another thread whose outcome the loop has to deliver: an entry of the ready queue.
//
// Rooms derive from it. The ready queue owns each one from Loop::push_completion() until it calls deliver() or drop(),
// which both free it.
#pragma once

#include "python/ref.hpp"

namespace mainspring {

struct Completion {
  // In the thread of the loop, during a turn. -1 with an exception set only for what leaves the loop.
  virtual int deliver() = 0;
  // The loop closes: nothing may be called back.
  virtual void drop() = 0;
  // What it refers to, for the collector.
  virtual int visit(visitproc visit, void* argument) = 0;

 protected:
  ~Completion() = default;
};

}  // namespace mainspring
