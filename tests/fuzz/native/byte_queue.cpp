// ByteQueue against a std::string.
#include <cstring>
#include <string>

#include "input.hpp"
#include "streams/byte_queue.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  mainspring::ByteQueue queue;
  std::string model;
  char next = 'a';
  const auto piece = [&] {
    std::string bytes(input.below(256) * input.below(12), ' ');
    // No piece is like another at the places that a mistake would confuse.
    for (size_t i = 0; i < bytes.size(); i += 1 + i / 8) bytes[i] = next = static_cast<char>(next * 5 + 3);
    return bytes;
  };
  while (!input.empty()) {
    switch (input.below(8)) {
      case 0:
      case 1:
      case 2: {
        const std::string bytes = piece();
        queue.append(bytes.data(), bytes.size());
        model += bytes;
        break;
      }
      case 3: {
        const std::string bytes = piece();
        queue.prepend(bytes.data(), bytes.size());
        model = bytes + model;
        break;
      }
      case 4:
      case 5:
      case 6: {
        const size_t count = input.below(model.size() + 1);
        queue.consume(count);
        model.erase(0, count);
        break;
      }
      default:
        queue.clear();
        model.clear();
    }
    FUZZ_CHECK(queue.size() == model.size());
    FUZZ_CHECK(queue.empty() == model.empty());
    FUZZ_CHECK(model.empty() || std::memcmp(queue.data(), model.data(), model.size()) == 0);
    // An idle connection costs nothing.
    FUZZ_CHECK(!queue.empty() || queue.capacity() <= 512);
  }
  return 0;
}
