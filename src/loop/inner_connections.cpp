#include "loop/inner_connections.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

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

bool has_path(const Name& name) { return name.size() > offsetof(sockaddr_un, sun_path); }

// The beginning of the kernel's tcp_info (linux/tcp.h), which in older headers ends before the last fields.
struct TcpInfo {
  uint8_t state;
  uint8_t other_bytes[7];
  uint32_t other_numbers[24];
  uint64_t pacing_rate;
  uint64_t max_pacing_rate;
  uint64_t bytes_acked;
  uint64_t bytes_received;
  uint32_t segments_and_times[6];
  uint64_t rates_and_times[4];
  uint32_t delivered[2];
  uint64_t bytes_sent;
  uint64_t bytes_retransmitted;
};
static_assert(offsetof(TcpInfo, bytes_received) == 128 && offsetof(TcpInfo, bytes_sent) == 200);

// False when the kernel does not tell so much.
bool ask_tcp(int descriptor, TcpInfo* info) {
  socklen_t size = sizeof *info;
  return getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &size) == 0 && size == sizeof *info;
}

// Whether all that `sender` has sent is where `receiver` can be polled for it. The end of a stream counts as one byte
// for the receiver only.
bool has_arrived(const TcpInfo& sender, const TcpInfo& receiver) {
  const bool ended = sender.state == TCP_FIN_WAIT1 || sender.state == TCP_FIN_WAIT2;
  if (ended && receiver.state == TCP_ESTABLISHED) return false;
  return receiver.bytes_received >= sender.bytes_sent - sender.bytes_retransmitted;
}

bool nothing_between(int one, int other) {
  TcpInfo first;
  TcpInfo second;
  return ask_tcp(one, &first) && ask_tcp(other, &second) && has_arrived(first, second) && has_arrived(second, first);
}

}  // namespace

bool all_are_inner(const std::vector<int>& descriptors) {
  std::map<std::pair<Name, Name>, int> lone;  // ends of connections over IP that are looking for their other end
  std::map<Name, int> unix_ends;              // of each path: accepted connections less connecting ones
  for (const int descriptor : descriptors) {
    const int family = option(descriptor, SO_DOMAIN);
    if (family < 0) return false;
    if (option(descriptor, SO_ACCEPTCONN) > 0) continue;
    const std::optional<Name> own = ask_name(getsockname, descriptor);
    const std::optional<Name> peer = ask_name(getpeername, descriptor);
    if (!own || !peer) return false;
    if (family == AF_UNIX) {
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
      if (!nothing_between(descriptor, other->second)) return false;
      lone.erase(other);
    }
  }
  for (const auto& [path, difference] : unix_ends) {
    if (difference != 0) return false;
  }
  return lone.empty();
}

}  // namespace mainspring
