// EchoServer: sends back what comes, as one would write it by hand: one thread, level-triggered epoll, one read buffer,
// a read and then a write, and no waiting for the socket to become writable before it has refused something. Owns the
// connections' descriptors.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "../load/system.hpp"
#include "../load/tls.hpp"

namespace limit {

class EchoServer {
 public:
  // Takes over `listener`. With `collect`, the TLS records of one message leave in one send: better for messages of
  // several records, and worse for small ones.
  EchoServer(int listener, std::optional<load::Tls> tls, bool collect)
      : listener_(listener), tls_(tls), collect_(tls && collect) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) throw load::system_error("epoll_create1", errno);
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events{};
    while (true) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) throw load::system_error("epoll_wait", errno);
      for (int index = 0; index < count; ++index) {
        const epoll_event& event = events[static_cast<std::size_t>(index)];
        auto* connection = static_cast<Connection*>(event.data.ptr);
        if (connection == nullptr)
          accept_all();
        else if ((event.events & (EPOLLERR | EPOLLHUP)) != 0 || !serve(*connection))
          end(connection);
      }
    }
  }

 private:
  struct Connection {
    int descriptor = -1;
    load::Tls::Session tls = nullptr;
    bool open = true;   // The handshake, if there is one, is done.
    bool full = false;  // Waits for the socket to become writable.
    std::string rest;   // What was read and could not be sent yet.
  };

  // Sending less than was asked for is not an error.
  static constexpr long nothing_yet = -1, broken = -2;

  void accept_all() {
    while (true) {
      const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) return;
      const int one = 1;
      setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      auto* connection = new Connection();
      connection->descriptor = descriptor;
      if (tls_) {
        connection->tls = collect_ ? tls_->start_collecting(descriptor) : tls_->start(descriptor);
        connection->open = false;
      }
      watch(EPOLL_CTL_ADD, descriptor, EPOLLIN, connection);
    }
  }

  // False when the connection has ended.
  bool serve(Connection& connection) {
    if (!connection.open) {
      try {
        connection.open = tls_->handshake(connection.tls);
        if (collect_) tls_->flush(connection.tls);
      } catch (const std::runtime_error&) {
        return false;
      }
      if (!connection.open) return true;
    }
    if (connection.full) {
      const std::string rest = std::exchange(connection.rest, {});
      if (!send_back(connection, rest.data(), rest.size())) return false;
      if (connection.full) return true;
    }
    while (true) {
      const long received = receive(connection);
      if (received <= 0) return received == nothing_yet;
      if (!send_back(connection, buffer_.data(), static_cast<std::size_t>(received))) return false;
      // Of a plain socket epoll says what is left; of what OpenSSL has read ahead it knows nothing.
      if (!connection.tls || connection.full || static_cast<std::size_t>(received) < buffer_.size()) return true;
    }
  }

  // What cannot be sent yet is kept. False when the connection is broken.
  bool send_back(Connection& connection, const char* data, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      const long sent = send_some(connection, data + done, size - done);
      if (sent == broken) return false;
      if (sent == nothing_yet) break;
      done += static_cast<std::size_t>(sent);
    }
    connection.rest.assign(data + done, size - done);
    const bool flushed = !collect_ || tls_->flush(connection.tls);
    wait_for(connection, done < size || !flushed);
    return true;
  }

  // The bytes that came; 0 at the end of the stream.
  long receive(Connection& connection) {
    if (!connection.tls) {
      const ssize_t count = recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
      return count < 0 ? (errno == EAGAIN ? nothing_yet : broken) : count;
    }
    // OpenSSL gives one record at a time.
    std::size_t filled = 0;
    while (filled < buffer_.size()) {
      const long count = tls_->read(connection.tls, buffer_.data() + filled, buffer_.size() - filled);
      if (count > 0) {
        filled += static_cast<std::size_t>(count);
        continue;
      }
      if (filled > 0) break;
      return count == load::Tls::wants_more ? nothing_yet : count == load::Tls::closed ? 0 : broken;
    }
    return static_cast<long>(filled);
  }

  long send_some(Connection& connection, const char* data, std::size_t size) {
    if (connection.tls) {
      const long count = tls_->write(connection.tls, data, size);
      return count > 0 ? count : count == load::Tls::wants_more ? nothing_yet : broken;
    }
    const ssize_t count = send(connection.descriptor, data, size, MSG_NOSIGNAL);
    return count < 0 ? (errno == EAGAIN ? nothing_yet : broken) : count;
  }

  void wait_for(Connection& connection, bool full) {
    if (connection.full == full) return;
    connection.full = full;
    watch(EPOLL_CTL_MOD, connection.descriptor, full ? EPOLLOUT : EPOLLIN, &connection);
  }

  void watch(int operation, int descriptor, std::uint32_t events, Connection* connection) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = connection;
    if (epoll_ctl(epoll_, operation, descriptor, &event) < 0) throw load::system_error("epoll_ctl", errno);
  }

  void end(Connection* connection) {
    if (connection->tls) tls_->forget(connection->tls);
    close(connection->descriptor);
    delete connection;
  }

  int listener_;
  int epoll_ = -1;
  std::optional<load::Tls> tls_;
  bool collect_;
  // Sixteen bytes past a page, copying is many times slower on some processors.
  alignas(4096) std::array<char, std::size_t{256} * 1024> buffer_{};
};

}  // namespace limit
