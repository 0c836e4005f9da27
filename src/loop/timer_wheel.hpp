// The timers of a loop: a hierarchical wheel in front of what is due. Knows neither Python nor libuv.
//
// A timer is an embedded TimerNode; the wheel links it and never owns it. Deadlines are nanoseconds of CLOCK_MONOTONIC.
//
//   - A deadline in a later tick (2^20 ns, about a millisecond) waits in the slot of its tick: eight levels of 64
//     slots, each level 64 times as coarse as the one below. Inserting and removing are a few pointer writes.
//   - When a tick begins, the timers of its slot are sorted into `run_`, the earliest last, by deadline and, where that
//     is equal, by order of insertion. Their keys are beside them, so that sorting a million looks at no node.
//   - A deadline that is set within the current tick, or before, is in `heap_`, in the same order. Timers leave the
//     wheel only through these two, so they fire in exact order.
//
// Removing a timer leaves nothing behind, but for its place in `run_` until the end of the tick: a million cancelled
// timers hold no memory.
//
// An entry's level is the highest 6-bit digit in which its tick differs from the current one. All entries of a level
// are therefore due before all entries of the next, and the earliest is in the first occupied slot of the lowest
// occupied level.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace mainspring {

struct TimerNode {
  union {
    TimerNode* previous = nullptr;  // in a slot
    size_t heap_index;              // in the heap
  };
  TimerNode* next = nullptr;
  int64_t deadline = 0;
  uint64_t sequence = 0;
  int8_t level = kIdle;
  uint8_t slot = 0;

  static constexpr int8_t kIdle = -3;
  static constexpr int8_t kInRun = -2;
  static constexpr int8_t kInHeap = -1;

  bool scheduled() const { return level != kIdle; }
};

class TimerWheel {
 public:
  static constexpr int64_t kNever = INT64_MAX;

  TimerWheel() = default;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // The caller keeps the node alive until it is removed or popped.
  void insert(TimerNode* node, int64_t deadline) {
    node->deadline = deadline;
    node->sequence = next_sequence_++;
    ++size_;
    place(node);
  }

  void remove(TimerNode* node) {
    --size_;
    if (node->level == TimerNode::kInHeap) {
      remove_from_heap(node->heap_index);
    } else if (node->level == TimerNode::kInRun) {
      remove_from_run(node);
    } else {
      unlink(node);
    }
    node->level = TimerNode::kIdle;
  }

  // The earliest moment at which a timer may be due, kNever without timers. Exact when that timer's slot holds few
  // others; otherwise the start of its slot.
  int64_t next_deadline() const { return next_deadline(kFewTimers); }

  // The same, but always exact: a slot is looked through to its end.
  int64_t exact_deadline() const { return next_deadline(SIZE_MAX); }

  // Takes out the earliest timer whose deadline is at or before `now`; nullptr when there is none left.
  TimerNode* pop_due(int64_t now) {
    // What is in the slots is later than all else. So the run is empty when the next tick begins.
    TimerNode* node = first_due();
    if (!node || node->deadline > now) {
      advance(tick_of(now));
      node = first_due();
      if (!node || node->deadline > now) return nullptr;
    }
    remove(node);
    return node;
  }

  // Takes out any timer, nullptr when empty: for closing.
  TimerNode* pop_any() {
    TimerNode* node = nullptr;
    visit([&](TimerNode* candidate) {
      node = candidate;
      return 1;
    });
    if (node) remove(node);
    return node;
  }

  // Calls `visitor` with each timer until it returns a value other than 0, and returns that.
  template <typename Visitor>
  int visit(Visitor visitor) const {
    for (TimerNode* node : heap_) {
      if (int result = visitor(node)) return result;
    }
    for (const Place& place : run_) {
      if (!place.node) continue;
      if (int result = visitor(place.node)) return result;
    }
    for (uint32_t levels = occupied_levels_; levels; levels &= levels - 1) {
      const Level& level = levels_[std::countr_zero(levels)];
      for (uint64_t slots = level.occupied; slots; slots &= slots - 1) {
        for (TimerNode* node = level.slots[std::countr_zero(slots)]; node; node = node->next) {
          if (int result = visitor(node)) return result;
        }
      }
    }
    return 0;
  }

 private:
  static constexpr int kTickBits = 20;
  static constexpr int kDigitBits = 6;
  static constexpr int kSlots = 1 << kDigitBits;
  static constexpr int kLevels = 8;
  static constexpr size_t kFewTimers = 16;
  static constexpr size_t kKeptCapacity = 1024;

  struct Level {
    uint64_t occupied = 0;
    std::array<TimerNode*, kSlots> slots{};
  };

  struct Place {
    int64_t deadline;
    uint64_t sequence;
    TimerNode* node;  // nullptr once it has been removed
  };

  int64_t next_deadline(size_t looks) const {
    if (const TimerNode* node = first_due()) return node->deadline;
    if (occupied_levels_ == 0) return kNever;
    const int level = std::countr_zero(occupied_levels_);
    const int slot = std::countr_zero(levels_[level].occupied);
    int64_t earliest = kNever;
    size_t looked_at = 0;
    for (const TimerNode* node = levels_[level].slots[slot]; node; node = node->next) {
      if (++looked_at > looks) return static_cast<int64_t>(slot_start(level, slot) << kTickBits);
      if (node->deadline < earliest) earliest = node->deadline;
    }
    return earliest;
  }

  static uint64_t tick_of(int64_t deadline) { return deadline <= 0 ? 0 : static_cast<uint64_t>(deadline) >> kTickBits; }

  uint64_t slot_start(int level, int slot) const {
    const int shift = level * kDigitBits;
    const uint64_t above = tick_ >> (shift + kDigitBits) << (shift + kDigitBits);
    return above | (static_cast<uint64_t>(slot) << shift);
  }

  void place(TimerNode* node) {
    const uint64_t tick = tick_of(node->deadline);
    if (tick <= tick_) {
      add_to_heap(node);
      return;
    }
    const int level = (63 - std::countl_zero(tick ^ tick_)) / kDigitBits;
    const int slot = static_cast<int>(tick >> (level * kDigitBits)) & (kSlots - 1);
    Level& row = levels_[level];
    TimerNode*& head = row.slots[slot];
    node->level = static_cast<int8_t>(level);
    node->slot = static_cast<uint8_t>(slot);
    node->previous = nullptr;
    node->next = head;
    if (head) head->previous = node;
    head = node;
    row.occupied |= uint64_t{1} << slot;
    occupied_levels_ |= 1u << level;
  }

  void unlink(TimerNode* node) {
    Level& row = levels_[node->level];
    if (node->previous) {
      node->previous->next = node->next;
    } else {
      row.slots[node->slot] = node->next;
      if (!node->next) mark_empty(node->level, node->slot);
    }
    if (node->next) node->next->previous = node->previous;
  }

  void mark_empty(int level, int slot) {
    Level& row = levels_[level];
    row.occupied &= ~(uint64_t{1} << slot);
    if (row.occupied == 0) occupied_levels_ &= ~(1u << level);
  }

  // The earliest of those that have left the slots.
  TimerNode* first_due() const {
    TimerNode* const in_heap = heap_.empty() ? nullptr : heap_.front();
    if (run_.empty()) return in_heap;
    TimerNode* const in_run = run_.back().node;
    return in_heap && before(*in_heap, *in_run) ? in_heap : in_run;
  }

  // Moves the present to `tick`; what becomes due goes to the run, what comes nearer to a finer level.
  void advance(uint64_t tick) {
    const size_t before = run_.size();
    try {
      collect(tick);
    } catch (const std::bad_alloc&) {
      // What is still in its slot stays there until the next time.
      sort_run();
      throw;
    }
    if (run_.size() != before) sort_run();
  }

  void collect(uint64_t tick) {
    while (occupied_levels_) {
      const int level = std::countr_zero(occupied_levels_);
      const int slot = std::countr_zero(levels_[level].occupied);
      const uint64_t start = slot_start(level, slot);
      if (start > tick) break;
      tick_ = start;
      while (TimerNode* node = levels_[level].slots[slot]) {
        const bool due = tick_of(node->deadline) <= start;
        if (due) run_.push_back(Place{node->deadline, node->sequence, node});
        unlink(node);
        if (due) {
          node->level = TimerNode::kInRun;
        } else {
          place(node);
        }
      }
    }
    if (tick > tick_) tick_ = tick;
  }

  // Works on nodes and on their places.
  template <typename Timer>
  static bool before(const Timer& a, const Timer& b) {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
  }

  static bool after(const Place& a, const Place& b) { return before(b, a); }

  // --- the run -----------------------------------------------------------------------------------------------------

  // What was added to the run may be in no order. A slot holds the last one first, which is how the run stands.
  void sort_run() {
    if (!std::is_sorted(run_.begin(), run_.end(), after)) std::sort(run_.begin(), run_.end(), after);
  }

  void remove_from_run(TimerNode* node) {
    const Place place{node->deadline, node->sequence, node};
    // Most often it is the earliest.
    Place& found = run_.back().node == node ? run_.back() : *std::lower_bound(run_.begin(), run_.end(), place, after);
    found.node = nullptr;
    while (!run_.empty() && !run_.back().node) run_.pop_back();
    if (run_.empty() && run_.capacity() > kKeptCapacity) run_.shrink_to_fit();
  }

  // --- the heap ----------------------------------------------------------------------------------------------------

  void set(size_t index, TimerNode* node) {
    heap_[index] = node;
    node->heap_index = index;
  }

  void add_to_heap(TimerNode* node) {
    node->level = TimerNode::kInHeap;
    heap_.push_back(node);
    sift_up(heap_.size() - 1, node);
  }

  void sift_up(size_t index, TimerNode* node) {
    while (index > 0) {
      const size_t parent = (index - 1) / 2;
      if (!before(*node, *heap_[parent])) break;
      set(index, heap_[parent]);
      index = parent;
    }
    set(index, node);
  }

  void sift_down(size_t index, TimerNode* node) {
    const size_t count = heap_.size();
    for (;;) {
      size_t child = 2 * index + 1;
      if (child >= count) break;
      if (child + 1 < count && before(*heap_[child + 1], *heap_[child])) ++child;
      if (!before(*heap_[child], *node)) break;
      set(index, heap_[child]);
      index = child;
    }
    set(index, node);
  }

  void remove_from_heap(size_t index) {
    TimerNode* last = heap_.back();
    heap_.pop_back();
    if (index < heap_.size()) {
      if (index > 0 && before(*last, *heap_[(index - 1) / 2])) {
        sift_up(index, last);
      } else {
        sift_down(index, last);
      }
    } else if (heap_.empty() && heap_.capacity() > kKeptCapacity) {
      heap_.shrink_to_fit();
    }
  }

  std::array<Level, kLevels> levels_{};
  uint32_t occupied_levels_ = 0;
  uint64_t tick_ = 0;
  uint64_t next_sequence_ = 0;
  size_t size_ = 0;
  std::vector<Place> run_;
  std::vector<TimerNode*> heap_;
};

}  // namespace mainspring
