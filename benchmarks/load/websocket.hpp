// WebSocketFrames: what WebSocket connections send and expect back: one binary frame of a client, and the same payload
// in a frame of the server. Owns the frames of all connections.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "system.hpp"

namespace load {

class WebSocketFrames {
 public:
  void add(std::string_view payload) {
    std::string head = "\x82";  // The only and last frame of a binary message.
    const std::size_t size = payload.size();
    if (size < 126) {
      head += static_cast<char>(size);
    } else {
      const int bytes = size < 65536 ? 2 : 8;
      head += static_cast<char>(bytes == 2 ? 126 : 127);
      for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        head += static_cast<char>(static_cast<std::uint64_t>(size) >> shift & 0xff);
    }
    answers_.push_back(head + std::string(payload));
    // A client has to mask what it sends. The mask of four zeros leaves the payload as it is, and a server unmasks it
    // like any other.
    head[1] = static_cast<char>(head[1] | '\x80');
    requests_.push_back(head + std::string(4, '\0') + std::string(payload));
  }

  std::string_view request(std::size_t connection) const { return requests_[connection]; }
  std::string_view answer(std::size_t connection) const { return answers_[connection]; }

  // Asks the server to speak WebSocket, without extensions, and waits for its consent.
  static void upgrade(int descriptor, const std::string& path) {
    const std::string request = "GET " + path +
                                " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Key: bWFpbnNwcmluZy1sb2FkIQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    if (send(descriptor, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      throw std::runtime_error("the WebSocket handshake could not be sent");
    std::string answer;
    // Byte by byte, so that nothing behind the head is taken.
    while (answer.size() < 4 || answer.compare(answer.size() - 4, 4, "\r\n\r\n") != 0) {
      char byte = 0;
      const ssize_t count = recv(descriptor, &byte, 1, 0);
      if (count == 0) throw std::runtime_error("the server closed the connection during the WebSocket handshake");
      if (count == 1) {
        answer += byte;
        continue;
      }
      if (errno != EAGAIN) throw system_error("recv", errno);
      pollfd waiting{descriptor, POLLIN, 0};
      if (poll(&waiting, 1, static_cast<int>(patience / 1'000'000)) <= 0)
        throw std::runtime_error("no answer to the WebSocket handshake");
    }
    if (answer.compare(0, 12, "HTTP/1.1 101") != 0)
      throw std::runtime_error("the answer to the WebSocket handshake is " + answer.substr(0, answer.find('\r')));
  }

 private:
  std::vector<std::string> requests_;
  std::vector<std::string> answers_;
};

}  // namespace load
