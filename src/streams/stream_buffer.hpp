// What a native stream reader has received and the program has not read yet. Owned by a ReaderState.
//
// The bytes are, in this order:
//
//   head: a bytes object that will be the result of the read that waits, filled up to head_size_ (kept whole, so that
//         such a read copies nothing), and
//   tail: a ByteQueue;
//
// or, from the moment when the program looks at `reader._buffer`, all in that bytearray. While somebody else holds the
// bytearray it stays the truth; once it is empty and nobody does, head and tail are used again.
//
// Methods that can fail say so with false or nullptr and an exception set; then nothing has been taken.
#pragma once

#include "python/ref.hpp"
#include "streams/byte_queue.hpp"

namespace mainspring {

class StreamBuffer {
 public:
  struct View {
    const char* data;
    size_t size;
  };

  // False when the program has put something other than a bytearray in its place.
  bool usable() const { return !exposed_ || PyByteArray_CheckExact(exposed_.get()); }

  // For usable() buffers.
  size_t size() const {
    if (exposed_) return static_cast<size_t>(PyByteArray_GET_SIZE(exposed_.get()));
    return head_size_ + tail_.size();
  }
  bool empty() const { return size() == 0; }

  // From here on no memory of ours keeps bytes that have been taken: they came encrypted. The bytes objects are the
  // program's.
  void cleanse() { tail_.cleanse(); }

  bool append(const char* data, size_t size);

  // As append(), when a read of at most `most` bytes waits and the buffer is empty.
  bool hand_over(const char* data, size_t size, size_t most);

  // The same with a bytes object of at most so many bytes, when the buffer is not exposed().
  void adopt(Ref data);

  // As append(), when a read of exactly `wanted` bytes waits and the buffer holds fewer.
  bool fill(const char* data, size_t size, size_t wanted);

  // Where a large rest of what fill() waits for may be received directly; {nullptr, 0} if there is none.
  struct Space {
    char* data;
    size_t size;
  };
  Space space() const;
  void filled(size_t size) { head_size_ += size; }

  // All bytes in one piece, until the next change. {nullptr, 0} with MemoryError set.
  bool view(View* view);

  // Removes and returns the first `count` bytes, which are there, as a bytes object.
  PyObject* take(size_t count);

  // The bytearray that programs know as `_buffer`; a new reference.
  PyObject* expose();
  // Makes the program's object the buffer.
  void replace(PyObject* object);

  // Uses head and tail again if nobody holds the bytearray.
  void settle() {
    if (exposed_ && Py_REFCNT(exposed_.get()) == 1 && usable() && empty()) exposed_.reset();
  }
  bool exposed() const { return static_cast<bool>(exposed_); }

  PyObject* exposed_object() const { return exposed_.get(); }
  void clear();

 private:
  // The largest result that is allocated before all of its bytes have come.
  static constexpr size_t kLargestHead = 1024 * 1024;
  // From here on a system call of its own kind is cheaper than the copy.
  static constexpr size_t kLeastSpace = 8 * 1024;

  bool flatten();
  char* head_data() const { return PyBytes_AS_STRING(head_.get()); }

  Ref head_;
  size_t head_size_ = 0;
  ByteQueue tail_;
  Ref exposed_;
};

}  // namespace mainspring
