// ArrivalBatch: full by bytes or by callbacks, but never before something is ready, nor beside other work.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "loop/arrival_batch.hpp"

using mainspring::ArrivalBatch;

namespace {

// Serves arrivals that make one callback ready each until the batch is full; how many there were.
size_t fill(ArrivalBatch& batch) {
  size_t served = 0;
  while (!batch.full()) {
    batch.add(1, 1);
    REQUIRE(++served <= ArrivalBatch::kCallbacks);
  }
  return served;
}

}  // namespace

TEST_CASE("a new batch takes the first arrival") {
  ArrivalBatch batch;
  batch.begin(0);
  CHECK_FALSE(batch.full());
}

TEST_CASE("bytes fill it once something is ready") {
  ArrivalBatch batch;
  batch.begin(0);
  batch.add(ArrivalBatch::kBytes, 0);
  CHECK_FALSE(batch.full());
  batch.add(1, 1);
  CHECK(batch.full());
}

TEST_CASE("callbacks fill it") {
  ArrivalBatch batch;
  batch.begin(0);
  CHECK(fill(batch) == ArrivalBatch::kCallbacks);
}

TEST_CASE("what the last batch has made ready is no other work") {
  ArrivalBatch batch;
  batch.begin(0);
  fill(batch);
  batch.begin(ArrivalBatch::kCallbacks);
  CHECK(fill(batch) == ArrivalBatch::kCallbacks);
}

TEST_CASE("beside other work everything is served") {
  ArrivalBatch batch;
  batch.begin(1);
  batch.add(ArrivalBatch::kBytes, ArrivalBatch::kCallbacks);
  CHECK_FALSE(batch.full());
  batch.begin(ArrivalBatch::kCallbacks + 1);
  batch.add(ArrivalBatch::kBytes, ArrivalBatch::kCallbacks);
  CHECK_FALSE(batch.full());
}

TEST_CASE("a turn without arrivals ends the series") {
  ArrivalBatch batch;
  batch.begin(0);
  fill(batch);
  batch.none();
  batch.begin(1);
  batch.add(ArrivalBatch::kBytes, ArrivalBatch::kCallbacks);
  CHECK_FALSE(batch.full());
}
