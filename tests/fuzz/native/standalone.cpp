// Runs a harness without a fuzzer, so that every compiler and the ordinary tests can: on inputs of a fixed generator,
// or on the files named on the command line, such as one that a fuzzer has left.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    std::ifstream file(arguments[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "cannot read %s\n", arguments[i]);
      return 1;
    }
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
  if (count > 1) return 0;
  // mt19937 gives the same numbers with every library; the distributions of <random> do not.
  std::mt19937 random(1);
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 1000; ++i) {
    bytes.resize(random() % (i % 20 ? 300 : 4000));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
}
