// What a fuzzer's bytes mean: choices, numbers and amounts, drawn one after another until nothing is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }

  // A number below `limit`, which is not 0. From one byte as long as that is enough, so that a changed byte of the
  // input is a changed choice and nothing else.
  uint64_t below(uint64_t limit) {
    uint64_t number = byte();
    for (uint64_t most = 0x100; most && most < limit; most <<= 8) number = number << 8 | byte();
    return number % limit;
  }

  // Any number, small ones as likely as large ones.
  uint64_t number() {
    const unsigned bits = static_cast<unsigned>(below(65));
    uint64_t number = 0;
    for (unsigned got = 0; got < bits; got += 8) number = number << 8 | byte();
    return bits == 0 ? 0 : number >> (bits % 8 ? 8 - bits % 8 : 0);
  }

 private:
  uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

  const uint8_t* data_;
  size_t left_;
};

}  // namespace fuzz

// Ends the process, which the fuzzer reports with the input that led to it.
#define FUZZ_CHECK(condition)                                                      \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)
