// Who is to be told that a child process has ended: by a descriptor of the process (pidfd_open(2)), which can be read
// from then on. The descriptors belong to the loop, and so do not have to be watched by libuv as the program's are.
//
// Owned by Loop.
#pragma once

#include <memory>
#include <unordered_map>

#include "loop/handle.hpp"
#include "python/ref.hpp"
#include "uv/poller.hpp"

namespace mainspring {

class Loop;

class ProcessExits {
 public:
  explicit ProcessExits(Loop& loop) : loop_(loop) {}
  ProcessExits(const ProcessExits&) = delete;
  ProcessExits& operator=(const ProcessExits&) = delete;
  ~ProcessExits() { clear(); }

  // Takes over the descriptor, and runs the Handle once. Throws std::system_error or std::bad_alloc, and then the
  // descriptor is the caller's.
  void watch(int pidfd, Ref handle);

  // Closes the descriptors without telling anybody.
  void clear();

  template <typename Visitor>
  int visit(Visitor visitor) const {
    for (const auto& entry : exits_) {
      if (int result = visitor(reinterpret_cast<Handle*>(entry.second->handle.get()))) return result;
    }
    return 0;
  }

  // Calls `visitor` with each descriptor.
  template <typename Visitor>
  void visit_numbers(Visitor visitor) const {
    for (const auto& entry : exits_) visitor(entry.first);
  }

 private:
  struct Exit {
    ProcessExits* exits;
    uv::Poller* poller;
    Ref handle;
  };

  static int serve(void* owner, int events);

  Loop& loop_;
  std::unordered_map<int, std::unique_ptr<Exit>> exits_;
};

}  // namespace mainspring
