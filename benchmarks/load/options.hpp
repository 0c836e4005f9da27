// Options: what the command line of the load generator asked for. Owned by main().
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "target.hpp"

namespace load {

enum class Mode { echo, lines, http, websocket, idle, accept, datagrams };

struct Options {
  Mode mode = Mode::echo;
  Target target;
  std::size_t connections = 10;
  std::size_t size = 1024;
  double duration = 1.0;
  double warmup = 0.2;
  std::uint64_t requests = 0;  // 0: run for `duration`; otherwise this many in all, without a warm-up
  int cpu = -1;
  int watched_pid = 0;
  std::string path = "/";
  std::string tls_library;  // empty: no TLS
};

inline constexpr std::string_view usage =
    "usage: mainspring-load --mode echo|lines|http|websocket|idle|accept|datagrams (--port PORT | --unix PATH)\n"
    "                       [--connections N] [--size BYTES] [--path PATH]\n"
    "                       [--duration SECONDS] [--warmup SECONDS] [--requests N] [--cpu K] [--watch PID]\n"
    "                       [--tls LIBRARY, such as libssl.so.3]\n";

inline Options parse_options(int count, char** words) {
  Options options;
  for (int index = 1; index < count; index += 2) {
    const std::string_view name = words[index];
    if (index + 1 >= count) throw std::invalid_argument("no value for " + std::string(name));
    const std::string value = words[index + 1];
    if (name == "--mode") {
      if (value == "echo")
        options.mode = Mode::echo;
      else if (value == "lines")
        options.mode = Mode::lines;
      else if (value == "http")
        options.mode = Mode::http;
      else if (value == "websocket")
        options.mode = Mode::websocket;
      else if (value == "idle")
        options.mode = Mode::idle;
      else if (value == "accept")
        options.mode = Mode::accept;
      else if (value == "datagrams")
        options.mode = Mode::datagrams;
      else
        throw std::invalid_argument("no such mode: " + value);
    } else if (name == "--path") {
      options.path = value;
    } else if (name == "--unix") {
      options.target.unix_path = value;
    } else if (name == "--tls") {
      options.tls_library = value;
    } else {
      char* end = nullptr;
      const double number = std::strtod(value.c_str(), &end);
      if (end == value.c_str() || *end != '\0' || !(number >= 0))
        throw std::invalid_argument("not a number for " + std::string(name) + ": " + value);
      if (name == "--port")
        options.target.port = static_cast<std::uint16_t>(number);
      else if (name == "--connections")
        options.connections = static_cast<std::size_t>(number);
      else if (name == "--size")
        options.size = static_cast<std::size_t>(number);
      else if (name == "--duration")
        options.duration = number;
      else if (name == "--warmup")
        options.warmup = number;
      else if (name == "--requests")
        options.requests = static_cast<std::uint64_t>(number);
      else if (name == "--cpu")
        options.cpu = static_cast<int>(number);
      else if (name == "--watch")
        options.watched_pid = static_cast<int>(number);
      else
        throw std::invalid_argument("no such option: " + std::string(name));
    }
  }
  if ((options.target.port == 0 && options.target.unix_path.empty()) || options.connections == 0 || options.size == 0)
    throw std::invalid_argument("--port or --unix, --connections and --size have to be positive");
  options.target.datagrams = options.mode == Mode::datagrams;
  return options;
}

}  // namespace load
