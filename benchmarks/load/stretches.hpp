// Stretches: the window of a measurement in pieces of some hundredths of a second, so that those that the machine
// disturbed can be told from the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <vector>

#include "latencies.hpp"

namespace load {

class Stretches {
 public:
  // A server may answer all its connections in one go, so a stretch has several answers for each.
  explicit Stretches(std::size_t connections) : least_answers_(8 * connections) {}

  void start(std::uint64_t now, double server_seconds) {
    stretches_.clear();
    latencies_.clear();
    answers_ = 0;
    began_ = now;
    server_before_ = server_seconds;
  }

  void answered(std::uint64_t nanoseconds) { latencies_.add(nanoseconds); }

  // Whether what has happened since the last one makes a stretch; `answers` is the count since the window began.
  bool complete(std::uint64_t now, std::uint64_t answers) const {
    return now - began_ >= least_nanoseconds_ && answers - answers_ >= least_answers_;
  }

  void add(std::uint64_t now, std::uint64_t answers, double server_seconds) {
    if (answers == answers_ || server_seconds <= server_before_) return;
    stretches_.push_back({answers - answers_, static_cast<double>(now - began_) / 1e9, server_seconds - server_before_,
                          latencies_.microseconds(0.999)});
    latencies_.clear();
    answers_ = answers;
    began_ = now;
    server_before_ = server_seconds;
  }

  bool empty() const { return stretches_.empty(); }

  // [answers, seconds, seconds of the server's processor time, p99.9 of the latencies in microseconds], of each.
  void write_json(std::ostream& out) const {
    const char* separator = "[";
    for (const Stretch& stretch : stretches_) {
      out << separator << '[' << stretch.answers << ", " << stretch.seconds << ", " << stretch.server_seconds << ", "
          << stretch.p999 << ']';
      separator = ", ";
    }
    out << ']';
  }

 private:
  struct Stretch {
    std::uint64_t answers;
    double seconds;
    double server_seconds;
    double p999;
  };

  static constexpr std::uint64_t least_nanoseconds_ = 25'000'000;
  std::uint64_t least_answers_;
  std::vector<Stretch> stretches_;
  Latencies latencies_;
  std::uint64_t answers_ = 0;
  std::uint64_t began_ = 0;
  double server_before_ = 0;
};

}  // namespace load
