// What a Loop counts, always: plain numbers, added to where the turn, the system call or the new connection already is.
// Knows neither Python nor libuv.
//
// Written with the GIL held, and read with it from whatever thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mainspring {

// What the Loop holds while it is open (IoObject).
enum class OpenKind : uint8_t { kTcp, kUnix, kDatagram, kPipeReader, kPipeWriter, kListener };
constexpr size_t kOpenKinds = 6;

struct Counters {
  uint64_t turns = 0;
  uint64_t polls = 0;      // looks for events, waits included
  uint64_t waits = 0;      // polls that could block
  uint64_t io_events = 0;  // descriptors that the kernel reported
  uint64_t callbacks = 0;  // Handles run
  uint64_t timers_set = 0;
  uint64_t timers_fired = 0;
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  uint64_t connections_accepted = 0;
  uint64_t executor_calls = 0;
  std::array<uint64_t, kOpenKinds> open{};

  void received(size_t bytes) { bytes_received += bytes; }
  void sent(size_t bytes) { bytes_sent += bytes; }
  void opened(OpenKind kind) { ++open[static_cast<size_t>(kind)]; }
  void closed(OpenKind kind) { --open[static_cast<size_t>(kind)]; }
  uint64_t now_open(OpenKind kind) const { return open[static_cast<size_t>(kind)]; }
};

}  // namespace mainspring
