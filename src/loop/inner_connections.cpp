#include "loop/inner_connections.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "system/tcp_progress.hpp"
#include "system/unix_names.hpp"

namespace mainspring {

namespace {

// The address of one end of a connection, as the kernel gives it.
using Name = std::string;

using AskName = int (*)(int, sockaddr*, socklen_t*);

std::optional<Name> ask_name(AskName ask, int descriptor) {
  sockaddr_storage storage;
  socklen_t size = sizeof storage;
  if (ask(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) < 0) return std::nullopt;
  return Name(reinterpret_cast<const char*>(&storage), size);
}

int option(int descriptor, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

int family_of(const Name& name) { return reinterpret_cast<const sockaddr*>(name.data())->sa_family; }

bool has_path(const Name& name) {
  constexpr size_t kPath = offsetof(sockaddr_un, sun_path);
  return name.size() > kPath && (system::kAbstractNames || name[kPath] != 0);
}

}  // namespace

bool all_are_inner(const std::vector<int>& descriptors) {
  std::map<std::pair<Name, Name>, int> lone;  // ends of connections over IP that are looking for their other end
  std::map<Name, int> unix_ends;              // of each path: accepted connections less connecting ones
  for (const int descriptor : descriptors) {
    if (option(descriptor, SO_ACCEPTCONN) > 0) continue;
    const std::optional<Name> own = ask_name(getsockname, descriptor);
    const std::optional<Name> peer = ask_name(getpeername, descriptor);
    if (!own || !peer) return false;
    if (family_of(*own) == AF_UNIX) {
      // What is sent arrives at once. The ends of a pair have no names: only one of them may be here.
      if (has_path(*own) == has_path(*peer)) return false;
      if (has_path(*own)) {
        ++unix_ends[*own];
      } else {
        --unix_ends[*peer];
      }
      continue;
    }
    if (option(descriptor, SO_TYPE) != SOCK_STREAM) return false;
    const auto other = lone.find({*peer, *own});
    if (other == lone.end()) {
      lone[{*own, *peer}] = descriptor;
    } else {
      if (!system::nothing_between(descriptor, other->second)) return false;
      lone.erase(other);
    }
  }
  for (const auto& [path, difference] : unix_ends) {
    if (difference != 0) return false;
  }
  return lone.empty();
}

}  // namespace mainspring
