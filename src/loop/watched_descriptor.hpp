// add_reader and add_writer: the Handles to run when a descriptor is ready.
//
// The descriptor belongs to the program, which may close it, and open another with its number, without a word to the
// loop. libuv aborts the process when epoll refuses a descriptor that it believes in, so every registration that is new
// since the last poll is checked before the next one.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "loop/handle.hpp"
#include "system/portable.hpp"
#include "uv/poller.hpp"

namespace mainspring {

class Loop;

class WatchedDescriptors {
 public:
  explicit WatchedDescriptors(Loop& loop) : loop_(loop) {}
  WatchedDescriptors(const WatchedDescriptors&) = delete;
  WatchedDescriptors& operator=(const WatchedDescriptors&) = delete;

  enum Direction { kReader, kWriter };

  // Takes over one reference to `handle`; the Handle that it replaces is cancelled. Throws std::system_error and then
  // leaves everything as it was.
  void add(int fd, Direction direction, Handle* stolen);

  // Cancels the Handle and stops watching. False when there was none.
  bool remove(int fd, Direction direction);

  // Where Waits are watched by libuv: somebody waits in this direction, for what `is_new` says is perhaps another file
  // than was watched under this number. Throws std::system_error and then has forgotten the number.
  void add_wait(int fd, Direction direction, bool is_new);
  void remove_wait(int fd, Direction direction);

  // Before the loop polls: forgets registrations whose descriptor has been closed.
  void check_new();

  // A transport has taken over this number: forgets what was registered under it.
  void forget_stale(int fd);

  // The descriptor's owner closes it: no copy of it that is watched here keeps the file open.
  void let_go(int fd);

  // Drops all of them without calling anything.
  void clear();

  template <typename Visitor>
  int visit(Visitor visitor) const {
    for (const auto& entry : descriptors_) {
      for (Handle* handle : entry.second->handles) {
        if (!handle) continue;
        if (int result = visitor(handle)) return result;
      }
    }
    return 0;
  }

  // Calls `visitor` with each descriptor.
  template <typename Visitor>
  void visit_numbers(Visitor visitor) const {
    for (const auto& entry : descriptors_) visitor(entry.first);
  }

 private:
  struct Descriptor {
    WatchedDescriptors* table;
    uv::Poller* poller;
    Handle* handles[2];
    bool waits[2];

    bool is_needed() const { return handles[0] || handles[1] || waits[0] || waits[1]; }
  };

  Descriptor& descriptor_of(int fd);
  void register_anew(Descriptor& descriptor);

  static int serve(void* owner, int events);
  void watch(Descriptor& descriptor);
  int run(int fd, Direction direction, Handle* handle);
  void forget(int fd);

  Loop& loop_;
  std::unordered_map<int, std::unique_ptr<Descriptor>> descriptors_;
  std::vector<int> new_;
};

}  // namespace mainspring
