// Generator: N connections to this machine on one epoll, each with exactly one request outstanding. Owns the sockets
// and the counts. Edge-triggered, registered once: an exchange costs one send, one recv and a share of epoll_wait.
// In the mode `accept` each request has a connection of its own.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "exchange.hpp"
#include "latencies.hpp"
#include "options.hpp"
#include "processor_time.hpp"
#include "stretches.hpp"
#include "system.hpp"
#include "target.hpp"
#include "tls.hpp"
#include "websocket.hpp"

namespace load {

class Generator {
 public:
  explicit Generator(const Options& options);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Opens all connections; throws when one cannot be opened.
  void connect();
  // Warms up, measures, and leaves the figures for report().
  void run();
  // One JSON object.
  std::string report() const;

  std::uint64_t errors() const { return errors_; }
  const std::string& first_error() const { return first_error_; }

 private:
  static constexpr std::size_t buffer_size = std::size_t{256} * 1024;

  struct Connection {
    int descriptor = -1;
    std::string_view request;
    std::string_view expected;
    std::size_t sent = 0;
    std::uint64_t started = 0;
    EchoAnswer echo;
    HttpAnswer http;
    Tls::Session tls = nullptr;
    bool open = false;  // Connected, and the handshake is done.
  };

  static constexpr const char* no_answer = "no answer for 10 seconds";

  // What receive_bytes() gives when there is nothing yet.
  static constexpr ssize_t nothing_yet = -1;

  // One exchange on each connection, with nothing else under way. A loop that accepts one connection a turn takes
  // seconds for a thousand of them under load, and would be judged with those that it has.
  void meet();
  // On a processor of its own it never sleeps: to wake a sleeping processor is the waker's cost, on a virtual machine
  // several times that of the answer, and no part of what a server does for a client elsewhere.
  int timeout_milliseconds() const { return options_.cpu >= 0 ? 0 : 20; }
  void start_request(Connection& connection, std::uint64_t now);
  void send_rest(Connection& connection);
  void receive(Connection& connection);
  void shake_hands(Connection& connection);
  void watch(Connection& connection);
  void begin_own_connection(Connection& connection);
  bool is_open(Connection& connection);
  void end_connection(Connection& connection);
  ssize_t send_bytes(Connection& connection, const char* data, std::size_t size);
  ssize_t receive_bytes(Connection& connection);
  void complete(Connection& connection);
  void fail(Connection& connection, const std::string& reason);
  void turn();
  void start_window(std::uint64_t now);
  double server_time() const;

  Options options_;
  EchoBlock block_;
  WebSocketFrames frames_;
  std::string http_request_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;
  Latencies latencies_;
  Stretches stretches_;
  std::optional<Tls> tls_;
  int epoll_ = -1;
  std::size_t alive_ = 0;
  bool met_ = false;
  std::uint64_t issued_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t errors_ = 0;
  std::string first_error_;
  std::uint64_t window_start_ = 0;
  double window_seconds_ = 0;
  double server_before_ = 0;
  double server_seconds_ = 0;
  double own_before_ = 0;
  double own_seconds_ = 0;
};

inline Generator::Generator(const Options& options)
    : options_(options),
      block_(options.mode == Mode::http ? 0 : options.connections, options.mode == Mode::http ? 0 : options.size,
             options.mode == Mode::lines),
      http_request_("GET " + options.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"),
      connections_(options.connections),
      buffer_(buffer_size),
      stretches_(options.connections),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw system_error("epoll_create1", errno);
  if (options.mode == Mode::websocket)
    for (std::size_t index = 0; index < options.connections; ++index) frames_.add(block_.window(index));
  if (!options.tls_library.empty()) tls_ = Tls::client(options.tls_library);
}

inline Generator::~Generator() {
  for (const Connection& connection : connections_)
    if (connection.descriptor >= 0) close(connection.descriptor);
  close(epoll_);
}

inline void Generator::connect() {
  for (std::size_t index = 0; index < connections_.size(); ++index) {
    Connection& connection = connections_[index];
    connection.request = options_.mode == Mode::http ? std::string_view(http_request_) : block_.window(index);
    connection.expected = connection.request;
    ++alive_;
    if (options_.mode == Mode::accept) continue;
    connection.descriptor = open_connection(options_.target);
    if (tls_) shake_hands(connection);
    if (options_.mode == Mode::websocket) {
      WebSocketFrames::upgrade(connection.descriptor, options_.path);
      connection.request = frames_.request(index);
      connection.expected = frames_.answer(index);
    }
    connection.open = true;
    watch(connection);
  }
}

inline void Generator::watch(Connection& connection) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &connection;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.descriptor, &event) < 0) throw system_error("epoll_ctl", errno);
}

inline void Generator::begin_own_connection(Connection& connection) {
  const auto index = static_cast<std::uint32_t>(&connection - connections_.data());
  connection.descriptor = begin_connection(options_.target, INADDR_LOOPBACK + 1 + index);
  if (tls_) connection.tls = tls_->start(connection.descriptor);
  watch(connection);
}

inline bool Generator::is_open(Connection& connection) {
  if (connection.open) return true;
  if (const int code = connection_error(connection.descriptor)) throw system_error("connect", code);
  // Until it is connected, OpenSSL's first step would find nowhere to write to.
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (getpeername(connection.descriptor, reinterpret_cast<sockaddr*>(&peer), &length) < 0) return false;
  connection.open = !tls_ || tls_->handshake(connection.tls);
  return connection.open;
}

inline void Generator::end_connection(Connection& connection) {
  if (connection.tls) tls_->end(connection.tls);
  connection.tls = nullptr;
  close(connection.descriptor);
  connection.descriptor = -1;
  connection.open = false;
}

inline void Generator::meet() {
  for (Connection& connection : connections_) {
    const std::uint64_t answers = completed_;
    const std::uint64_t began = now_nanoseconds();
    start_request(connection, began);
    while (completed_ == answers && connection.descriptor >= 0) {
      turn();
      if (now_nanoseconds() - began > patience) throw std::runtime_error(no_answer);
    }
  }
  issued_ = 0;
}

inline void Generator::run() {
  // In the mode `accept` a connection begins with its request.
  if (options_.mode != Mode::accept) meet();
  met_ = true;
  const bool counted = options_.requests > 0;
  const std::uint64_t began = now_nanoseconds();
  const auto warmup = static_cast<std::uint64_t>(options_.warmup * static_cast<double>(second));
  const auto duration = static_cast<std::uint64_t>(options_.duration * static_cast<double>(second));
  bool measuring = counted;
  window_start_ = began;
  if (counted) start_window(began);
  for (Connection& connection : connections_)
    if (connection.descriptor >= 0 || options_.mode == Mode::accept) start_request(connection, now_nanoseconds());

  std::uint64_t seen = completed_;
  std::uint64_t last_progress = began;
  while (alive_ > 0) {
    turn();
    const std::uint64_t now = now_nanoseconds();
    if (completed_ != seen) {
      seen = completed_;
      last_progress = now;
    } else if (now - last_progress > patience) {
      throw std::runtime_error(no_answer);
    }
    if (counted) {
      if (completed_ >= options_.requests) break;
    } else if (!measuring && now - began >= warmup) {
      start_window(now);
      seen = 0;
      measuring = true;
    } else if (measuring) {
      // A machine that is busy elsewhere may give no answer in a short window, which then ends with the first one.
      const bool over = now - window_start_ >= duration && completed_ + errors_ > 0;
      if (stretches_.complete(now, completed_)) stretches_.add(now, completed_, server_time());
      if (over) break;
    }
  }
  const std::uint64_t ended = now_nanoseconds();
  window_seconds_ = static_cast<double>(ended - window_start_) / 1e9;
  own_seconds_ = own_processor_time() - own_before_;
  server_seconds_ = server_time() - server_before_;
  // Where the answers were too few for a stretch, the window is one.
  if (stretches_.empty()) stretches_.add(ended, completed_, server_before_ + server_seconds_);
}

inline double Generator::server_time() const {
  return options_.watched_pid != 0 ? processor_time(options_.watched_pid) : 0;
}

inline void Generator::start_window(std::uint64_t now) {
  latencies_.clear();
  completed_ = 0;
  server_before_ = server_time();
  own_before_ = own_processor_time();
  window_start_ = now;
  stretches_.start(now, server_before_);
}

inline void Generator::turn() {
  std::array<epoll_event, 512> events{};
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_milliseconds());
  if (count < 0 && errno != EINTR) throw system_error("epoll_wait", errno);
  for (int index = 0; index < count; ++index) {
    const epoll_event& event = events[static_cast<std::size_t>(index)];
    Connection& connection = *static_cast<Connection*>(event.data.ptr);
    if (connection.descriptor < 0) continue;
    try {
      if ((event.events & EPOLLOUT) != 0) send_rest(connection);
      if ((event.events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) receive(connection);
    } catch (const std::runtime_error& error) {
      fail(connection, error.what());
    }
  }
}

inline void Generator::start_request(Connection& connection, std::uint64_t now) {
  if (options_.requests > 0 && issued_ >= options_.requests) return;
  ++issued_;
  connection.sent = 0;
  connection.started = now;
  if (options_.mode == Mode::accept)
    begin_own_connection(connection);
  else
    send_rest(connection);
}

inline void Generator::send_rest(Connection& connection) {
  if (connection.started == 0 || !is_open(connection)) return;  // The first edges of a connection that has not begun.
  while (connection.sent < connection.request.size()) {
    const ssize_t count = send_bytes(connection, connection.request.data() + connection.sent,
                                     connection.request.size() - connection.sent);
    if (count == nothing_yet) return;
    connection.sent += static_cast<std::size_t>(count);
  }
}

inline ssize_t Generator::send_bytes(Connection& connection, const char* data, std::size_t size) {
  if (connection.tls) {
    const long count = tls_->write(connection.tls, data, size);
    if (count < 0 && count != Tls::wants_more) throw std::runtime_error("sending by TLS failed");
    return count < 0 ? nothing_yet : count;
  }
  const ssize_t count = send(connection.descriptor, data, size, MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN) throw system_error("send", errno);
  return count < 0 ? nothing_yet : count;
}

inline ssize_t Generator::receive_bytes(Connection& connection) {
  if (connection.tls) {
    const long count = tls_->read(connection.tls, buffer_.data(), buffer_.size());
    if (count == Tls::closed) return 0;
    if (count == Tls::failed) throw std::runtime_error("receiving by TLS failed");
    return count < 0 ? nothing_yet : count;
  }
  const ssize_t count = recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
  if (count < 0 && errno != EAGAIN) throw system_error("recv", errno);
  return count < 0 ? nothing_yet : count;
}

// One connection after the other, before anything is measured.
inline void Generator::shake_hands(Connection& connection) {
  connection.tls = tls_->start(connection.descriptor);
  while (!tls_->handshake(connection.tls)) {
    pollfd waiting{connection.descriptor, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(patience / 1'000'000)) <= 0)
      throw std::runtime_error("no answer to the TLS handshake");
  }
}

inline void Generator::receive(Connection& connection) {
  if (!connection.open) {
    send_rest(connection);
    if (!connection.open) return;
  }
  while (true) {
    const ssize_t count = receive_bytes(connection);
    if (count == 0) throw std::runtime_error("the server closed the connection");
    if (count == nothing_yet) return;
    const auto length = static_cast<std::size_t>(count);
    const bool finished = options_.mode == Mode::http
                              ? connection.http.take(buffer_.data(), length)
                              : connection.echo.take(connection.expected, buffer_.data(), length);
    if (finished) {
      complete(connection);
      return;
    }
    // A short read has emptied the socket: what comes later makes a new edge.
    if (!connection.tls && length < buffer_.size()) return;
  }
}

inline void Generator::complete(Connection& connection) {
  const std::uint64_t now = now_nanoseconds();
  latencies_.add(now - connection.started);
  stretches_.answered(now - connection.started);
  ++completed_;
  if (options_.mode == Mode::accept) end_connection(connection);
  if (met_) start_request(connection, now);
}

inline void Generator::fail(Connection& connection, const std::string& reason) {
  ++errors_;
  if (first_error_.empty())
    first_error_ = "connection " + std::to_string(&connection - connections_.data()) + ": " + reason;
  close(connection.descriptor);
  connection.descriptor = -1;
  --alive_;
}

inline std::string Generator::report() const {
  std::ostringstream json;
  json.precision(9);
  json << "{\"requests\": " << completed_ << ", \"seconds\": " << window_seconds_
       << ", \"requests_per_second\": " << (window_seconds_ > 0 ? static_cast<double>(completed_) / window_seconds_ : 0)
       << ", \"p50_us\": " << latencies_.microseconds(0.5) << ", \"p99_us\": " << latencies_.microseconds(0.99)
       << ", \"p999_us\": " << latencies_.microseconds(0.999) << ", \"errors\": " << errors_
       << ", \"connections\": " << connections_.size() << ", \"generator_seconds\": " << own_seconds_;
  if (options_.watched_pid != 0) {
    json << ", \"server_seconds\": " << server_seconds_ << ", \"stretches\": ";
    stretches_.write_json(json);
  }
  json << "}";
  return json.str();
}

}  // namespace load
