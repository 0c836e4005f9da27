// WriteQueue against a list of chunks: sent in parts of any size, as writev() takes them. What keeps a chunk alive goes
// when the chunk's last byte was sent, not before and not later.
#include <algorithm>
#include <deque>
#include <memory>
#include <string>

#include "input.hpp"
#include "streams/write_queue.hpp"

namespace {

using Keeper = std::shared_ptr<std::string>;

struct Chunk {
  std::weak_ptr<std::string> keeper;
  std::string rest;
};

void check(const mainspring::WriteQueue<Keeper>& queue, const std::deque<Chunk>& model) {
  size_t size = 0;
  for (const Chunk& chunk : model) {
    size += chunk.rest.size();
    FUZZ_CHECK(!chunk.keeper.expired());
  }
  FUZZ_CHECK(queue.size() == size);
  FUZZ_CHECK(queue.chunks() == model.size());
  FUZZ_CHECK(queue.empty() == model.empty());
  size_t visited = 0;
  queue.visit([&](const Keeper& keeper) {
    FUZZ_CHECK(keeper == model[visited++].keeper.lock());
    return 0;
  });
  FUZZ_CHECK(visited == model.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  mainspring::WriteQueue<Keeper> queue;
  std::deque<Chunk> model;
  char next = 'a';
  while (!input.empty()) {
    const uint64_t choice = input.below(16);
    if (choice < 9) {
      std::string bytes(1 + input.below(choice == 0 ? 2000 : 20), ' ');
      for (char& byte : bytes) byte = next = static_cast<char>(next * 5 + 3);
      auto keeper = std::make_shared<std::string>(bytes);
      model.push_back({keeper, bytes});
      const char* start = keeper->data();
      queue.push(start, bytes.size(), std::move(keeper));
    } else if (choice < 15) {
      // What one call sends: some of the bytes of the first chunks.
      iovec vectors[8];
      const int most = static_cast<int>(1 + input.below(8));
      const int used = queue.gather(vectors, most);
      FUZZ_CHECK(used == std::min<int>(most, static_cast<int>(model.size())));
      size_t offered = 0;
      for (int i = 0; i < used; ++i) {
        FUZZ_CHECK(std::string(static_cast<char*>(vectors[i].iov_base), vectors[i].iov_len) ==
                   model[static_cast<size_t>(i)].rest);
        offered += vectors[i].iov_len;
      }
      const size_t taken = choice == 14 ? offered : input.below(offered + 1);
      queue.consume(taken);
      for (size_t left = taken; left > 0;) {
        Chunk& first = model.front();
        const size_t part = std::min(left, first.rest.size());
        first.rest.erase(0, part);
        left -= part;
        if (!first.rest.empty()) break;
        FUZZ_CHECK(first.keeper.expired());
        model.pop_front();
      }
    } else {
      queue.clear();
      for (const Chunk& chunk : model) FUZZ_CHECK(chunk.keeper.expired());
      model.clear();
    }
    check(queue, model);
  }
  return 0;
}
