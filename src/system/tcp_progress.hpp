// Whether anything is under way between the two ends of a TCP connection, both of which are in this process.
#pragma once

#include "system/portable.hpp"

#if !MAINSPRING_PORTABLE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#endif

namespace mainspring::system {

#if MAINSPRING_PORTABLE

// Nothing tells, so there may be.
inline bool nothing_between(int, int) { return false; }

#else

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
inline bool ask_tcp(int descriptor, TcpInfo* info) {
  socklen_t size = sizeof *info;
  return getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &size) == 0 && size == sizeof *info;
}

// Whether all that `sender` has sent is where `receiver` can be polled for it. The end of a stream counts as one byte
// for the receiver only.
inline bool has_arrived(const TcpInfo& sender, const TcpInfo& receiver) {
  const bool ended = sender.state == TCP_FIN_WAIT1 || sender.state == TCP_FIN_WAIT2;
  if (ended && receiver.state == TCP_ESTABLISHED) return false;
  return receiver.bytes_received >= sender.bytes_sent - sender.bytes_retransmitted;
}

inline bool nothing_between(int one, int other) {
  TcpInfo first;
  TcpInfo second;
  return ask_tcp(one, &first) && ask_tcp(other, &second) && has_arrived(first, second) && has_arrived(second, first);
}

#endif

}  // namespace mainspring::system
