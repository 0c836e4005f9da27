// Waits: who waits, once, for which descriptor: the operations sock_recv(), sock_sendall() and the like.
//
// The descriptors belong to the program, which may close them without a word to the loop, while a fork or a dup keeps
// the file open and the kernel goes on reporting it. How they are watched nevertheless is in waits_in_epoll.cpp for
// Linux and in waits_in_libuv.cpp for other systems.
//
// Owned by Loop. Holds a reference to each object that waits, as the default loop's selector holds the callbacks.
#pragma once

#include <cstdint>
#include <deque>

#include "loop/watched_descriptor.hpp"
#include "python/ref.hpp"
#include "uv/poller.hpp"

namespace mainspring {

class Loop;

// A part of the object that waits; unlinked before that object dies.
struct Wait {
  PyObject* object;  // the object that this is part of

  // The descriptor is ready: tries again, and calls Waits::end() unless it has to go on waiting. Whether it has
  // received something.
  bool (*attempt)(Wait* wait);

  int fd;
  WatchedDescriptors::Direction direction;
  bool waiting;
};

class Waits {
 public:
  using Direction = WatchedDescriptors::Direction;

  explicit Waits(Loop& loop) : loop_(loop) {}
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;
  ~Waits() { clear(); }

  // Waits for `fd`, the descriptor of `socket`. Whoever waited for it in this direction before will not be told any
  // more. Throws std::system_error.
  void start(Wait* wait, int fd, PyObject* socket, Direction direction);

  // Nothing happens if it does not wait.
  void stop(Wait* wait);

  // The same for an operation that is complete, of which the program hears in the next turn.
  void end(Wait* wait);

  // Tries again for whoever waits, if anybody does, without an event.
  void attempt(int fd, Direction direction);

  // Somebody else takes this direction of the descriptor: whoever waited is not told any more. False when nobody did,
  // not even until this turn.
  bool displace(int fd, Direction direction);

  // The descriptor has a new owner: displaces both directions and stops watching.
  void forget(int fd);

  // The descriptor's owner closes it: nothing keeps the file open. Who waits goes on waiting, as on the default loop.
  void let_go(int fd);

  // Drops all of them without telling anybody.
  void clear();

  template <typename Visitor>
  int visit(Visitor visitor) const {
    for (const Entry& entry : entries_) {
      if (entry.socket) {
        if (int result = visitor(entry.socket)) return result;
      }
      for (const Wait* wait : entry.waits) {
        if (!wait) continue;
        if (int result = visitor(wait->object)) return result;
      }
    }
    return 0;
  }

  // Calls `visitor` with each descriptor that is waited for.
  template <typename Visitor>
  void visit_numbers(Visitor visitor) const {
    for (size_t index = 0; index < entries_.size(); ++index) {
      if (entries_[index].waits[0] || entries_[index].waits[1]) visitor(static_cast<int>(index));
    }
  }

 private:
  // What is known of the descriptor whose number is the index.
  struct Entry {
    PyObject* socket = nullptr;  // a weak reference to the socket object that it was registered for
    Wait* waits[2] = {nullptr, nullptr};
    uv::Poller* poller = nullptr;  // in an epoll set
    Waits* table = nullptr;

    // The turn in which an operation ended: on the default loop its registration is there until the next one.
    uint32_t ended[2] = {0, 0};
  };

  static bool is_watched(const Entry& entry);

  // `same`: the number is still the socket's that it was watched for last. Throws std::system_error.
  void watch(int fd, Direction direction, bool same);
  void unwatch(int fd);

  // Nobody waits in this direction any more.
  void unwatch(int fd, Direction direction);

  static int serve(void* owner, int events);

  Loop& loop_;
  std::deque<Entry> entries_;  // which stay where they are as more come
};

}  // namespace mainspring
