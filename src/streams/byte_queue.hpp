// Bytes that have arrived and were not read yet: contiguous, appended at the end, taken from the front. Knows neither
// Python nor libuv. Owned by a StreamBuffer.
//
// An empty queue holds no memory beyond kKept, so that idle connections cost nothing. One that cleanses leaves no bytes
// behind either: once it is empty, and wherever its memory goes back, what it held has been overwritten.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "system/cleanse.hpp"

namespace mainspring {

class ByteQueue {
 public:
  ByteQueue() = default;
  ByteQueue(const ByteQueue&) = delete;
  ByteQueue& operator=(const ByteQueue&) = delete;
  ~ByteQueue() {
    wipe(memory_, end_);
    std::free(memory_);
  }

  // For what came encrypted. Plain connections do not pay for it.
  void cleanse() { cleanses_ = true; }

  bool empty() const { return start_ == end_; }
  size_t size() const { return end_ - start_; }
  size_t capacity() const { return capacity_; }
  const char* data() const { return memory_ + start_; }

  // Both throw std::bad_alloc, and then hold what they held.
  void append(const char* bytes, size_t count) {
    if (count == 0) return;
    if (capacity_ - end_ < count) make_room(count);
    std::memcpy(memory_ + end_, bytes, count);
    end_ += count;
  }
  void prepend(const char* bytes, size_t count) {
    if (count == 0) return;
    if (start_ < count) {
      // Rare, so it is done the simple way.
      if (capacity_ - end_ < count) make_room(count);
      std::memmove(memory_ + start_ + count, memory_ + start_, size());
      end_ += count;
    } else {
      start_ -= count;
    }
    std::memcpy(memory_ + start_, bytes, count);
  }

  // `count` is at most size().
  void consume(size_t count) {
    start_ += count;
    if (start_ < end_) return;
    clear();
  }

  void clear() {
    wipe(memory_, end_);
    start_ = end_ = 0;
    if (capacity_ <= kKept) return;
    std::free(memory_);
    memory_ = nullptr;
    capacity_ = 0;
  }

 private:
  static constexpr size_t kKept = 512;

  void wipe(char* from, size_t count) {
    if (cleanses_ && count > 0) [[unlikely]]
      system::cleanse(from, count);
  }

  void make_room(size_t count) {
    // Moving to the front is enough when that frees at least half: it is paid for by what was consumed.
    if (start_ >= capacity_ / 2 && capacity_ - size() >= count) {
      std::memmove(memory_, memory_ + start_, size());
      wipe(memory_ + size(), start_);
    } else {
      size_t capacity = capacity_ < kKept ? kKept : 2 * capacity_;
      if (capacity < size() + count) capacity = size() + count;
      auto* memory = static_cast<char*>(std::malloc(capacity));
      if (!memory) throw std::bad_alloc();
      if (!empty()) std::memcpy(memory, data(), size());
      wipe(memory_, end_);
      std::free(memory_);
      memory_ = memory;
      capacity_ = capacity;
    }
    end_ -= start_;
    start_ = 0;
  }

  char* memory_ = nullptr;
  size_t start_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
  bool cleanses_ = false;
};

}  // namespace mainspring
