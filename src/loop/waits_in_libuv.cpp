// Waits elsewhere than on Linux: watched by libuv like the readers and writers of the program, and, like those of the
// default loop, for no longer than an operation waits, so that hardly any is left when the program closes its socket.
#include "loop/loop.hpp"
#include "loop/waits.hpp"

namespace mainspring {

bool Waits::is_watched(const Entry& entry) { return entry.socket != nullptr; }

// What is registered under the number may have been another socket's, which the program has closed.
void Waits::watch(int fd, Direction direction, bool same) { loop_.descriptors().add_wait(fd, direction, !same); }

void Waits::unwatch(int fd, Direction direction) { loop_.descriptors().remove_wait(fd, direction); }

// Nothing is watched for which nobody waits.
void Waits::unwatch(int) {}

void Waits::let_go(int fd) { loop_.descriptors().let_go(fd); }

}  // namespace mainspring
