// Exchange: what one connection sends and how it knows that the answer is complete and right. One per connection;
// it owns no descriptor and makes no system call.
#pragma once

#include <strings.h>
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace load {

// The bytes that echo connections send. Each sends a window of its own into one random block, so an answer that
// reached the wrong connection differs while a thousand connections of 100 KiB share the processor's cache. As `lines`,
// each window is one line, and they do not overlap.
class EchoBlock {
 public:
  EchoBlock(std::size_t connections, std::size_t size, bool lines)
      : size_(size), stride_(lines ? size : 8), bytes_(size + connections * stride_) {
    std::uint64_t state = 0x9e3779b97f4a7c15;
    for (char& byte : bytes_) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      byte = static_cast<char>(state);
    }
    if (!lines) return;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      const bool ends = (i + 1) % size == 0;
      if (ends || bytes_[i] == '\n') bytes_[i] = ends ? '\n' : ' ';
    }
  }

  std::string_view window(std::size_t connection) const { return {bytes_.data() + connection * stride_, size_}; }

 private:
  std::size_t size_;
  std::size_t stride_;
  std::vector<char> bytes_;
};

// Takes the answer's bytes as they come; true when it is complete. Throws when they are not the expected ones.
class EchoAnswer {
 public:
  bool take(std::string_view expected, const char* bytes, std::size_t count) {
    if (count > expected.size() - taken_) throw std::runtime_error("more bytes came back than were sent");
    if (std::memcmp(expected.data() + taken_, bytes, count) != 0)
      throw std::runtime_error("other bytes came back than were sent");
    taken_ += count;
    if (taken_ < expected.size()) return false;
    taken_ = 0;
    return true;
  }

 private:
  std::size_t taken_ = 0;
};

class HttpAnswer {
 public:
  bool take(const char* bytes, std::size_t count) {
    received_.append(bytes, count);
    if (total_ == 0) {
      const std::size_t head = received_.find("\r\n\r\n");
      if (head == std::string::npos) return false;
      if (received_.compare(0, 12, "HTTP/1.1 200") != 0)
        throw std::runtime_error("the answer is not 200 but " + received_.substr(0, received_.find('\r')));
      total_ = head + 4 + content_length(std::string_view(received_).substr(0, head + 2));
    }
    if (received_.size() < total_) return false;
    if (received_.size() > total_) throw std::runtime_error("more bytes came than Content-Length says");
    received_.clear();
    total_ = 0;
    return true;
  }

 private:
  static std::size_t content_length(std::string_view head) {
    constexpr std::string_view name = "content-length:";
    for (std::size_t line = head.find("\r\n"); line + 2 < head.size(); line = head.find("\r\n", line + 2)) {
      const std::string_view field = head.substr(line + 2);
      if (field.size() > name.size() && strncasecmp(field.data(), name.data(), name.size()) == 0)
        return std::strtoull(field.data() + name.size(), nullptr, 10);
    }
    throw std::runtime_error("the answer has no Content-Length");
  }

  std::string received_;
  std::size_t total_ = 0;  // 0 until the head is complete.
};

}  // namespace load
