#include "loop/watched_descriptor.hpp"

#include <fcntl.h>

#include "loop/loop.hpp"
#include "uv/libuv_poller.hpp"

namespace mainspring {

namespace {

void cancel_and_drop(Handle* handle) {
  if (!handle) return;
  Ref cancelled = Ref::steal(reinterpret_cast<PyObject*>(handle));
  Ref result = Ref::steal(Handle::cancel(cancelled.get(), nullptr));
  if (!result) PyErr_WriteUnraisable(cancelled.get());
}

}  // namespace

void WatchedDescriptors::add(int fd, Direction direction, Handle* stolen) {
  Ref handle = Ref::steal(reinterpret_cast<PyObject*>(stolen));
  Descriptor& descriptor = descriptor_of(fd);
  if constexpr (system::kPortable) {
    // Who waits may do so for a file of this number that has been closed.
    if (descriptor.waits[kReader] || descriptor.waits[kWriter]) register_anew(descriptor);
  }
  Handle* replaced = std::exchange(descriptor.handles[direction], reinterpret_cast<Handle*>(handle.release()));
  watch(descriptor);
  // What has arrived was for the Handle before; the default loop calls a new one in the next turn at the earliest.
  descriptor.poller->forget_arrived(direction == kReader ? uv::Poller::kReadable : uv::Poller::kWritable);
  loop_.expect_events();
  cancel_and_drop(replaced);
}

bool WatchedDescriptors::remove(int fd, Direction direction) {
  const auto found = descriptors_.find(fd);
  if (found == descriptors_.end()) return false;
  Descriptor& descriptor = *found->second;
  Handle* handle = std::exchange(descriptor.handles[direction], nullptr);
  if (descriptor.is_needed()) {
    watch(descriptor);
  } else {
    forget(fd);
  }
  cancel_and_drop(handle);
  return handle != nullptr;
}

void WatchedDescriptors::add_wait(int fd, Direction direction, bool is_new) {
  const bool was_known = descriptors_.contains(fd);
  Descriptor& descriptor = descriptor_of(fd);
  if (was_known && is_new) register_anew(descriptor);
  descriptor.waits[direction] = true;
  watch(descriptor);
}

void WatchedDescriptors::remove_wait(int fd, Direction direction) {
  const auto found = descriptors_.find(fd);
  if (found == descriptors_.end()) return;
  Descriptor& descriptor = *found->second;
  descriptor.waits[direction] = false;
  if (descriptor.is_needed()) {
    watch(descriptor);
  } else {
    forget(fd);
  }
}

void WatchedDescriptors::check_new() {
  if (new_.empty()) return;
  const auto unchecked = std::exchange(new_, {});
  for (const int fd : unchecked) {
    if (fcntl(fd, F_GETFD) < 0) forget_stale(fd);
  }
}

void WatchedDescriptors::forget_stale(int fd) {
  const auto found = descriptors_.find(fd);
  if (found == descriptors_.end()) return;
  Handle* handles[2] = {found->second->handles[0], found->second->handles[1]};
  forget(fd);
  for (Handle* handle : handles) cancel_and_drop(handle);
}

void WatchedDescriptors::let_go(int fd) {
  const auto found = descriptors_.find(fd);
  if (found != descriptors_.end() && found->second->poller->is_copy()) forget_stale(fd);
}

void WatchedDescriptors::clear() {
  auto descriptors = std::exchange(descriptors_, {});
  new_.clear();
  for (auto& entry : descriptors) entry.second->poller->close();
  for (auto& entry : descriptors) {
    for (Handle* handle : entry.second->handles) Py_XDECREF(reinterpret_cast<PyObject*>(handle));
  }
}

WatchedDescriptors::Descriptor& WatchedDescriptors::descriptor_of(int fd) {
  const auto found = descriptors_.find(fd);
  if (found != descriptors_.end()) return *found->second;
  auto descriptor = std::make_unique<Descriptor>(Descriptor{this, nullptr, {nullptr, nullptr}, {false, false}});
  descriptor->poller = uv::LibuvPoller::open(loop_.uv(), fd, descriptor.get(), serve);
  return *descriptors_.emplace(fd, std::move(descriptor)).first->second;
}

void WatchedDescriptors::register_anew(Descriptor& descriptor) {
  const int fd = descriptor.poller->fd();
  descriptor.poller->close();
  try {
    descriptor.poller = uv::LibuvPoller::open(loop_.uv(), fd, &descriptor, serve);
  } catch (...) {
    const std::unique_ptr<Descriptor> gone = std::move(descriptors_.extract(fd).mapped());
    for (Handle* handle : gone->handles) cancel_and_drop(handle);
    throw;
  }
  watch(descriptor);
}

void WatchedDescriptors::watch(Descriptor& descriptor) {
  int events = (descriptor.handles[kReader] ? uv::Poller::kReadable : 0) |
               (descriptor.handles[kWriter] ? uv::Poller::kWritable : 0);
  if constexpr (system::kPortable) {
    events |= (descriptor.waits[kReader] ? uv::Poller::kReadable : 0) |
              (descriptor.waits[kWriter] ? uv::Poller::kWritable : 0);
  }
  if (events == descriptor.poller->interest()) return;
  descriptor.poller->watch(events);
  new_.push_back(descriptor.poller->fd());
}

void WatchedDescriptors::forget(int fd) {
  const auto found = descriptors_.find(fd);
  found->second->poller->close();
  descriptors_.erase(found);
}

int WatchedDescriptors::serve(void* owner, int events) {
  auto* descriptor = static_cast<Descriptor*>(owner);
  WatchedDescriptors* table = descriptor->table;
  const int fd = descriptor->poller->fd();
  // The first callback may remove the second, or the descriptor with both. What it sets anew is not called yet.
  Ref handles[2];
  for (const Direction direction : {kReader, kWriter}) {
    const int event = direction == kReader ? uv::Poller::kReadable : uv::Poller::kWritable;
    if (events & event) handles[direction] = Ref::borrow(reinterpret_cast<PyObject*>(descriptor->handles[direction]));
  }
  bool waits[2] = {false, false};
  if constexpr (system::kPortable) {
    waits[kReader] = events & uv::Poller::kReadable && descriptor->waits[kReader];
    waits[kWriter] = events & uv::Poller::kWritable && descriptor->waits[kWriter];
  }
  // On the default loop a sock_recv() of the same descriptor comes before the writer.
  if (handles[kWriter] && !handles[kReader]) table->loop_.waits().attempt(fd, kReader);
  for (const Direction direction : {kReader, kWriter}) {
    auto* handle = reinterpret_cast<Handle*>(handles[direction].get());
    if (handle && table->run(fd, direction, handle) < 0) return -1;
    if (waits[direction]) table->loop_.waits().attempt(fd, direction);
  }
  return 0;
}

int WatchedDescriptors::run(int fd, Direction direction, Handle* handle) {
  if (!handle->cancelled) return loop_.debug ? loop_.run_debug(handle) : loop_.run_handle(handle);
  // The program has cancelled it, perhaps by replacing it.
  const auto found = descriptors_.find(fd);
  if (found != descriptors_.end() && found->second->handles[direction] == handle) remove(fd, direction);
  return 0;
}

}  // namespace mainspring
