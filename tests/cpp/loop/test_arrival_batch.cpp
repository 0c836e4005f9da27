// ArrivalBatch: full by bytes or by callbacks, but never before something is ready.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "loop/arrival_batch.hpp"

using mainspring::ArrivalBatch;

TEST_CASE("a new batch takes the first arrival") { CHECK_FALSE(ArrivalBatch().full()); }

TEST_CASE("bytes fill it once something is ready") {
  ArrivalBatch batch;
  batch.add(ArrivalBatch::kBytes, 0);
  CHECK_FALSE(batch.full());
  batch.add(1, 1);
  CHECK(batch.full());
}

TEST_CASE("callbacks fill it") {
  ArrivalBatch batch;
  for (size_t i = 0; i < ArrivalBatch::kCallbacks; ++i) {
    CHECK_FALSE(batch.full());
    batch.add(1, 1);
  }
  CHECK(batch.full());
}
