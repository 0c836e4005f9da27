// Faults for the sanitizers to find, each in a function that Python calls through ctypes and so without the GIL.
#include <atomic>
#include <cstdlib>

namespace {

volatile int shared = 0;
std::atomic<int> here = 0;
void* volatile lost = nullptr;

}  // namespace

extern "C" {

// In two threads at once, which meet in a way that orders nothing.
void race() {
  here.fetch_add(1, std::memory_order_relaxed);
  while (here.load(std::memory_order_relaxed) < 2) {
  }
  shared = shared + 1;
}

int overflow() {
  auto* bytes = static_cast<volatile char*>(std::malloc(8));
  const char beyond = bytes[8];
  std::free(const_cast<char*>(bytes));
  return beyond;
}

int undefined(int number) { return 1 << (39 + number); }

void leak() {
  lost = std::malloc(1234);
  lost = nullptr;
}
}
