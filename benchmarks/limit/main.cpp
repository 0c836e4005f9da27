// mainspring-limit: echo servers on bare epoll, and on epoll with OpenSSL: what the kernel leaves possible.
// Prints its port (0 for a UNIX socket) as soon as it listens, and serves until it is killed.
#include <exception>
#include <iostream>
#include <memory>
#include <optional>

#include "datagram_server.hpp"
#include "echo_server.hpp"
#include "listening.hpp"
#include "options.hpp"

int main(int count, char** words) {
  limit::Options options;
  try {
    options = limit::parse_options(count, words);
  } catch (const std::exception& error) {
    std::cerr << "mainspring-limit: " << error.what() << '\n' << limit::usage;
    return 2;
  }
  try {
    std::optional<load::Tls> tls;
    if (!options.tls_library.empty()) tls = load::Tls::server(options.tls_library, options.certificate, options.key);
    const int listener = limit::open_listener(options);
    std::cout << limit::port_of(listener) << std::endl;
    // On the heap, because of their buffers.
    if (options.transport == "udp") std::make_unique<limit::DatagramServer>(listener)->run();
    std::make_unique<limit::EchoServer>(listener, tls, options.collect)->run();
  } catch (const std::exception& error) {
    std::cerr << "mainspring-limit: " << error.what() << '\n';
    return 1;
  }
}
