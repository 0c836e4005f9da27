// What is to run next, in order: a ring of tagged pointers. Knows neither Python nor libuv.
//
// An item is a pointer and one of four kinds, kept in the pointer's two lowest bits. The queue owns nothing; whoever
// pushes and pops agrees on what the pointers hold. It grows by doubling, and gives memory back when it has been
// drained after a burst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace mainspring {

class ReadyItem {
 public:
  static constexpr unsigned kKinds = 4;

  ReadyItem() = default;
  ReadyItem(void* pointer, unsigned kind) : bits_(reinterpret_cast<uintptr_t>(pointer) | kind) {}

  unsigned kind() const { return bits_ & (kKinds - 1); }

  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(bits_ & ~uintptr_t{kKinds - 1});
  }

 private:
  uintptr_t bits_ = 0;
};

class ReadyQueue {
 public:
  ReadyQueue() : items_(std::make_unique<ReadyItem[]>(kSmallest)) {}
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t capacity() const { return mask_ + 1; }

  // Throws std::bad_alloc, and then holds what it held.
  void push(ReadyItem item) {
    if (size_ > mask_) resize((mask_ + 1) * 2);
    items_[(head_ + size_) & mask_] = item;
    ++size_;
  }

  ReadyItem pop() {
    const ReadyItem item = items_[head_];
    head_ = (head_ + 1) & mask_;
    if (--size_ == 0 && mask_ >= kKept) shrink();
    return item;
  }

  // The item that would be popped after `index` others.
  ReadyItem at(size_t index) const { return items_[(head_ + index) & mask_]; }

 private:
  static constexpr size_t kSmallest = 64;
  static constexpr size_t kKept = 4096;

  void resize(size_t capacity) {
    auto items = std::make_unique<ReadyItem[]>(capacity);
    for (size_t i = 0; i < size_; ++i) items[i] = at(i);
    items_ = std::move(items);
    head_ = 0;
    mask_ = capacity - 1;
  }

  void shrink() {
    try {
      resize(kSmallest);
    } catch (const std::bad_alloc&) {
      // The larger ring serves as well.
    }
  }

  std::unique_ptr<ReadyItem[]> items_;
  size_t head_ = 0;
  size_t size_ = 0;
  size_t mask_ = kSmallest - 1;
};

}  // namespace mainspring
