#include "streams/stream_buffer.hpp"

#include <algorithm>

namespace mainspring {

namespace {

bool append_to(PyObject* bytearray, const char* data, size_t size) {
  const Py_ssize_t old = PyByteArray_GET_SIZE(bytearray);
  if (PyByteArray_Resize(bytearray, old + static_cast<Py_ssize_t>(size)) < 0) return false;
  std::memcpy(PyByteArray_AS_STRING(bytearray) + old, data, size);
  return true;
}

}  // namespace

bool StreamBuffer::append(const char* data, size_t size) {
  if (exposed_) return append_to(exposed_.get(), data, size);
  try {
    tail_.append(data, size);
    return true;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
}

bool StreamBuffer::hand_over(const char* data, size_t size, size_t most) {
  if (exposed_) return append(data, size);
  const size_t handed = std::min(size, most);
  Ref head = Ref::steal(PyBytes_FromStringAndSize(data, static_cast<Py_ssize_t>(handed)));
  if (!head || !append(data + handed, size - handed)) return false;
  head_ = std::move(head);
  head_size_ = handed;
  return true;
}

void StreamBuffer::adopt(Ref data) {
  head_size_ = static_cast<size_t>(PyBytes_GET_SIZE(data.get()));
  head_ = std::move(data);
}

bool StreamBuffer::fill(const char* data, size_t size, size_t wanted) {
  if (exposed_ || wanted > kLargestHead) return append(data, size);
  if (!head_) {
    Ref head = Ref::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(wanted)));
    if (!head) return false;
    head_ = std::move(head);
    head_size_ = tail_.size();
    if (head_size_) std::memcpy(head_data(), tail_.data(), head_size_);
    tail_.clear();
  }
  const auto capacity = static_cast<size_t>(PyBytes_GET_SIZE(head_.get()));
  // A head that an earlier, cancelled read has left is filled only if it can be the result as well.
  const size_t part = tail_.empty() ? std::min(size, capacity - head_size_) : 0;
  if (!append(data + part, size - part)) return false;
  if (part) std::memcpy(head_data() + head_size_, data, part);
  head_size_ += part;
  return true;
}

StreamBuffer::Space StreamBuffer::space() const {
  if (!head_ || exposed_ || !tail_.empty()) return {nullptr, 0};
  const size_t rest = static_cast<size_t>(PyBytes_GET_SIZE(head_.get())) - head_size_;
  if (rest < kLeastSpace) return {nullptr, 0};
  return {head_data() + head_size_, rest};
}

bool StreamBuffer::flatten() {
  if (!head_) return true;
  try {
    tail_.prepend(head_data(), head_size_);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
  head_size_ = 0;
  head_.reset();
  return true;
}

bool StreamBuffer::view(View* view) {
  if (exposed_) {
    *view = {PyByteArray_AS_STRING(exposed_.get()), size()};
    return true;
  }
  if (head_ && tail_.empty()) {
    *view = {head_data(), head_size_};
    return true;
  }
  if (!flatten()) return false;
  *view = {tail_.data(), tail_.size()};
  return true;
}

PyObject* StreamBuffer::take(size_t count) {
  if (head_ && !exposed_ && head_size_ == count) {
    if (static_cast<size_t>(PyBytes_GET_SIZE(head_.get())) == count) {
      head_size_ = 0;
      return head_.release();
    }
  }
  View all;
  if (!view(&all)) return nullptr;
  Ref taken = Ref::steal(PyBytes_FromStringAndSize(all.data, static_cast<Py_ssize_t>(count)));
  if (!taken) return nullptr;
  if (exposed_) {
    // As `del buffer[:n]`, which is refused while somebody holds a memoryview of it.
    if (count && PySequence_DelSlice(exposed_.get(), 0, static_cast<Py_ssize_t>(count)) < 0) return nullptr;
    return taken.release();
  }
  if (!flatten()) return nullptr;
  tail_.consume(count);
  return taken.release();
}

PyObject* StreamBuffer::expose() {
  if (!exposed_) {
    View all;
    if (!view(&all)) return nullptr;
    Ref bytearray = Ref::steal(PyByteArray_FromStringAndSize(all.data, static_cast<Py_ssize_t>(all.size)));
    if (!bytearray) return nullptr;
    clear();
    exposed_ = std::move(bytearray);
  }
  return Py_NewRef(exposed_.get());
}

void StreamBuffer::replace(PyObject* object) {
  const Ref old = std::move(exposed_);
  clear();
  exposed_ = Ref::borrow(object);
}

void StreamBuffer::clear() {
  head_size_ = 0;
  tail_.clear();
  head_.reset();
  exposed_.reset();
}

}  // namespace mainspring
