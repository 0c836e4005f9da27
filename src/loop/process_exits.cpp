#include "loop/process_exits.hpp"

#include <unistd.h>

#include <utility>

#include "loop/loop.hpp"

namespace mainspring {

namespace {

void close_both(uv::Poller* poller) {
  const int pidfd = poller->fd();
  poller->close();
  ::close(pidfd);
}

}  // namespace

void ProcessExits::watch(int pidfd, Ref handle) {
  loop_.forget_registered(pidfd);
  if (const auto stale = exits_.extract(pidfd)) stale.mapped()->poller->close();
  const auto place = exits_.try_emplace(pidfd).first;
  try {
    place->second = std::make_unique<Exit>(Exit{this, nullptr, std::move(handle)});
    place->second->poller = uv::Poller::open(loop_.uv(), pidfd, place->second.get(), serve, uv::Poller::kReadable);
  } catch (...) {
    exits_.erase(place);
    throw;
  }
  loop_.expect_events();
}

int ProcessExits::serve(void* owner, int) {
  auto* exit = static_cast<Exit*>(owner);
  ProcessExits* exits = exit->exits;
  Loop& loop = exits->loop_;
  const Ref alive = std::move(exit->handle);
  uv::Poller* poller = exit->poller;
  exits->exits_.erase(poller->fd());
  close_both(poller);
  auto* handle = reinterpret_cast<Handle*>(alive.get());
  return loop.debug ? loop.run_debug(handle) : loop.run_handle(handle);
}

void ProcessExits::clear() {
  // To drop a Handle may run Python.
  const auto exits = std::exchange(exits_, {});
  for (const auto& entry : exits) close_both(entry.second->poller);
}

}  // namespace mainspring
