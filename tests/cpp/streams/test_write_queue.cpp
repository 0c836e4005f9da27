// WriteQueue: bytes leave in order whatever sendmsg takes, and each keeper is released once, when its chunk is gone.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "streams/write_queue.hpp"

using mainspring::WriteQueue;

namespace {

int alive = 0;

// Owns a chunk's memory, as a reference to a bytes object does, and counts.
class Keeper {
 public:
  Keeper() = default;
  explicit Keeper(std::string* text) : text_(text) { ++alive; }
  Keeper(Keeper&& other) noexcept : text_(std::exchange(other.text_, nullptr)) {}
  Keeper& operator=(Keeper&& other) noexcept {
    if (this != &other) {
      release();
      text_ = std::exchange(other.text_, nullptr);
    }
    return *this;
  }
  ~Keeper() { release(); }

 private:
  void release() {
    if (!text_) return;
    // What the queue described before is unreadable from here on; AddressSanitizer would see a use.
    delete std::exchange(text_, nullptr);
    --alive;
  }

  std::string* text_ = nullptr;
};

void push(WriteQueue<Keeper>& queue, const std::string& text) {
  auto* kept = new std::string(text);
  queue.push(kept->data(), kept->size(), Keeper(kept));
}

// What the first chunks hold, as writev would see it.
std::string gathered(const WriteQueue<Keeper>& queue, int most) {
  std::vector<iovec> vectors(static_cast<size_t>(most));
  const int count = queue.gather(vectors.data(), most);
  REQUIRE(count <= most);
  std::string result;
  for (int i = 0; i < count; ++i) {
    result.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return result;
}

}  // namespace

TEST_CASE("a new queue is empty") {
  WriteQueue<Keeper> queue;
  CHECK(queue.empty());
  CHECK(queue.size() == 0);
  CHECK(queue.chunks() == 0);
  iovec vector;
  CHECK(queue.gather(&vector, 1) == 0);
}

TEST_CASE("chunks leave in order and in parts") {
  {
    WriteQueue<Keeper> queue;
    for (const char* text : {"one", "two", "three", "four"}) push(queue, text);
    CHECK(queue.size() == 15);
    CHECK(queue.chunks() == 4);
    CHECK(alive == 4);
    CHECK(gathered(queue, 2) == "onetwo");
    CHECK(gathered(queue, 16) == "onetwothreefour");
    queue.consume(4);
    CHECK(alive == 3);
    CHECK(gathered(queue, 16) == "wothreefour");
    queue.consume(0);
    CHECK(queue.size() == 11);
    queue.consume(2);
    CHECK(alive == 2);
    CHECK(gathered(queue, 1) == "three");
    queue.consume(9);
    CHECK(queue.empty());
    CHECK(alive == 0);
  }
  CHECK(alive == 0);
}

TEST_CASE("chunks are kept by reference") {
  WriteQueue<Keeper> queue;
  auto* text = new std::string("kept");
  queue.push(text->data(), text->size(), Keeper(text));
  iovec vector;
  REQUIRE(queue.gather(&vector, 1) == 1);
  CHECK(vector.iov_base == text->data());
}

TEST_CASE("clear and the destructor release every keeper") {
  {
    WriteQueue<Keeper> queue;
    for (int i = 0; i < 300; ++i) push(queue, "chunk");
    CHECK(alive == 300);
    queue.clear();
    CHECK(alive == 0);
    CHECK(queue.empty());
    CHECK(queue.size() == 0);
    for (int i = 0; i < 5; ++i) push(queue, "chunk");
    CHECK(gathered(queue, 8) == "chunkchunkchunkchunkchunk");
  }
  CHECK(alive == 0);
}

TEST_CASE("visit meets each keeper until it is told to stop") {
  WriteQueue<Keeper> queue;
  for (int i = 0; i < 10; ++i) push(queue, "x");
  queue.consume(3);
  int met = 0;
  CHECK(queue.visit([&](const Keeper&) { return ++met, 0; }) == 0);
  CHECK(met == 7);
  met = 0;
  CHECK(queue.visit([&](const Keeper&) { return ++met == 3 ? 5 : 0; }) == 5);
  CHECK(met == 3);
}

TEST_CASE("random chunks and partial sends agree with a string") {
  {
    std::mt19937 random(4);
    WriteQueue<Keeper> queue;
    std::string reference;
    size_t offset = 0;
    for (int step = 0; step < 60'000; ++step) {
      const bool grows = (step / 5000) % 2 == 0;
      if (random() % 10 < (grows ? 7u : 3u)) {
        std::string text(1 + random() % (random() % 50 ? 20 : 500), '\0');
        for (char& letter : text) letter = static_cast<char>('a' + random() % 26);
        push(queue, text);
        reference += text;
      } else if (!queue.empty()) {
        const std::string first = gathered(queue, 1 + static_cast<int>(random() % 8));
        REQUIRE(first == reference.substr(offset, first.size()));
        const size_t sent = random() % 3 ? first.size() : random() % (first.size() + 1);
        queue.consume(sent);
        offset += sent;
      }
      REQUIRE(queue.size() == reference.size() - offset);
      REQUIRE(queue.empty() == (queue.size() == 0));
      REQUIRE(static_cast<size_t>(alive) == queue.chunks());
    }
  }
  CHECK(alive == 0);
}
