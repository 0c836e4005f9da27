// Stands in front of close() and counts what must never happen to a descriptor: that it is closed when it is not open,
// or closed by somebody while its owner has said that it is still in use. Loaded with LD_PRELOAD.

#include <dlfcn.h>
#include <execinfo.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

namespace {

constexpr int highest = 1 << 16;
constexpr long most_reports = 5;

std::atomic<bool> guarded[highest];
std::atomic<long> closed_twice{0};
std::atomic<long> closed_foreign{0};

// A child between vfork and exec shares this memory, and closes what is its own business.
const pid_t process = getpid();

void report(const char* what, int descriptor, long count) {
  if (count > most_reports) return;
  dprintf(STDERR_FILENO, "interposer: descriptor %d %s, by:\n", descriptor, what);
  void* frames[32];
  backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
}

bool is_guarded(int descriptor) {
  return descriptor >= 0 && descriptor < highest && guarded[descriptor].load(std::memory_order_relaxed);
}

}  // namespace

extern "C" {

int close(int descriptor) {
  static auto* const real = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "close"));
  if (getpid() != process) return real(descriptor);
  if (is_guarded(descriptor)) report("belongs to somebody else", descriptor, ++closed_foreign);
  const int result = real(descriptor);
  if (result == -1 && errno == EBADF) {
    report("is not open", descriptor, ++closed_twice);
    errno = EBADF;
  }
  return result;
}

void interposer_guard(int descriptor) { guarded[descriptor] = true; }
void interposer_release(int descriptor) { guarded[descriptor] = false; }
long interposer_closed_twice() { return closed_twice; }
long interposer_closed_foreign() { return closed_foreign; }
}
