// What a stream has still to send: chunks in order, each with what keeps its memory alive. Knows neither Python nor
// libuv; `Keeper` is a movable type that owns the memory, in the transports a reference to a bytes object.
//
// Chunks are kept by reference and never copied or merged. Two fit into the queue itself; an idle connection holds no
// other memory.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <utility>

namespace mainspring {

template <typename Keeper>
class WriteQueue {
 public:
  WriteQueue() = default;
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;

  bool empty() const { return count_ == 0; }

  // Bytes that are queued.
  size_t size() const { return size_; }
  size_t chunks() const { return count_; }

  // Appends a chunk, which must not be empty: an empty one could never be consumed. Throws std::bad_alloc, and then
  // holds what it held.
  void push(const char* data, size_t size, Keeper keeper) {
    if (count_ == capacity_) grow();
    Chunk& chunk = at(count_);
    chunk.data = data;
    chunk.size = size;
    chunk.keeper = std::move(keeper);
    ++count_;
    size_ += size;
  }

  // Describes the first chunks for writev; returns how many.
  int gather(iovec* vectors, int most) const {
    int used = 0;
    for (size_t i = 0; i < count_ && used < most; ++i, ++used) {
      vectors[used].iov_base = const_cast<char*>(at(i).data);
      vectors[used].iov_len = at(i).size;
    }
    return used;
  }

  // Forgets the first `bytes` bytes, which have been sent. `bytes` is at most size().
  void consume(size_t bytes) {
    size_ -= bytes;
    while (bytes > 0) {
      Chunk& chunk = at(0);
      if (bytes < chunk.size) {
        chunk.data += bytes;
        chunk.size -= bytes;
        return;
      }
      bytes -= chunk.size;
      pop();
    }
    give_back();
  }

  void clear() {
    while (count_ > 0) pop();
    size_ = 0;
    give_back();
  }

  // Calls `visitor` with each keeper until it returns a value other than 0, and returns that.
  template <typename Visitor>
  int visit(Visitor visitor) const {
    for (size_t i = 0; i < count_; ++i) {
      if (int result = visitor(at(i).keeper)) return result;
    }
    return 0;
  }

 private:
  struct Chunk {
    const char* data = nullptr;
    size_t size = 0;
    Keeper keeper{};
  };

  static constexpr size_t kInline = 2;  // a power of two, as every capacity
  static constexpr size_t kKept = 64;

  Chunk* chunks_begin() { return heap_ ? heap_.get() : inline_; }
  const Chunk* chunks_begin() const { return heap_ ? heap_.get() : inline_; }
  Chunk& at(size_t index) { return chunks_begin()[(head_ + index) & (capacity_ - 1)]; }
  const Chunk& at(size_t index) const { return chunks_begin()[(head_ + index) & (capacity_ - 1)]; }

  void pop() {
    // The keeper goes last: releasing it may run code that looks at the queue.
    Keeper released = std::move(at(0).keeper);
    head_ = (head_ + 1) & (capacity_ - 1);
    --count_;
  }

  void grow() {
    auto larger = std::make_unique<Chunk[]>(capacity_ * 2);
    for (size_t i = 0; i < count_; ++i) larger[i] = std::move(at(i));
    heap_ = std::move(larger);
    head_ = 0;
    capacity_ *= 2;
  }

  void give_back() {
    if (count_ > 0 || capacity_ <= kKept) return;
    heap_.reset();
    head_ = 0;
    capacity_ = kInline;
  }

  Chunk inline_[kInline];
  std::unique_ptr<Chunk[]> heap_;
  size_t head_ = 0;
  size_t count_ = 0;
  size_t capacity_ = kInline;
  size_t size_ = 0;
};

}  // namespace mainspring
