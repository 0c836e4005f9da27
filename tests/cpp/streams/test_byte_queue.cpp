// ByteQueue: bytes come out as they went in, whatever the order of appending, prepending and consuming, and an empty
// queue keeps next to no memory.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "streams/byte_queue.hpp"

using mainspring::ByteQueue;

namespace {

std::string text(const ByteQueue& queue) { return queue.empty() ? "" : std::string(queue.data(), queue.size()); }

}  // namespace

TEST_CASE("bytes are taken in the order in which they came") {
  ByteQueue queue;
  CHECK(queue.empty());
  queue.append("hello ", 6);
  queue.append("world", 5);
  CHECK(text(queue) == "hello world");
  queue.consume(6);
  CHECK(text(queue) == "world");
  queue.prepend("my ", 3);
  CHECK(text(queue) == "my world");
  queue.prepend("oh my oh ", 9);
  CHECK(text(queue) == "oh my oh my world");
  queue.clear();
  CHECK(queue.empty());
  queue.prepend("x", 1);
  CHECK(text(queue) == "x");
}

TEST_CASE("nothing may be appended") {
  ByteQueue queue;
  queue.append(nullptr, 0);
  queue.prepend(nullptr, 0);
  queue.consume(0);
  CHECK(queue.empty());
  CHECK(queue.capacity() == 0);
}

TEST_CASE("an empty queue keeps next to no memory") {
  ByteQueue queue;
  const std::string large(100'000, 'x');
  queue.append(large.data(), large.size());
  CHECK(queue.capacity() >= large.size());
  queue.consume(large.size());
  CHECK(queue.capacity() <= 512);
}

TEST_CASE("a queue that is consumed as it grows does not grow for ever") {
  ByteQueue queue;
  const std::string piece(1000, 'x');
  queue.append(piece.data(), piece.size());
  for (int i = 0; i < 10'000; ++i) {
    queue.append(piece.data(), piece.size());
    queue.consume(piece.size());
  }
  CHECK(queue.size() == piece.size());
  CHECK(queue.capacity() < 20'000);
}

TEST_CASE("any order of operations is that of a string") {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    ByteQueue queue;
    std::string expected;
    for (int step = 0; step < 200; ++step) {
      std::string piece(random() % 700, ' ');
      for (char& each : piece) each = static_cast<char>('a' + random() % 26);
      switch (random() % 5) {
        case 0:
        case 1:
          queue.append(piece.data(), piece.size());
          expected += piece;
          break;
        case 2:
          queue.prepend(piece.data(), piece.size());
          expected = piece + expected;
          break;
        case 3: {
          const size_t count = expected.empty() ? 0 : random() % (expected.size() + 1);
          queue.consume(count);
          expected.erase(0, count);
          break;
        }
        default:
          if (random() % 20 == 0) {
            queue.clear();
            expected.clear();
          }
      }
      REQUIRE(queue.size() == expected.size());
      REQUIRE(text(queue) == expected);
    }
  }
}
