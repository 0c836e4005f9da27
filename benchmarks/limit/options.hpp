// Options: what the command line of the limit asked for. Owned by main().
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace limit {

struct Options {
  std::string transport;    // tcp, unix or udp
  std::string unix_path;    // where to listen, for unix
  std::string tls_library;  // empty: no TLS
  std::string certificate;
  std::string key;
  bool collect = false;  // Send the TLS records of a message together.
};

inline constexpr std::string_view usage =
    "usage: mainspring-limit --transport tcp|unix|udp [--unix PATH]\n"
    "                        [--tls LIBRARY, such as libssl.so.3, --certificate FILE --key FILE [--collect yes]]\n";

inline Options parse_options(int count, char** words) {
  Options options;
  for (int index = 1; index < count; index += 2) {
    const std::string_view name = words[index];
    if (index + 1 >= count) throw std::invalid_argument("no value for " + std::string(name));
    const char* value = words[index + 1];
    if (name == "--transport")
      options.transport = value;
    else if (name == "--unix")
      options.unix_path = value;
    else if (name == "--tls")
      options.tls_library = value;
    else if (name == "--certificate")
      options.certificate = value;
    else if (name == "--key")
      options.key = value;
    else if (name == "--collect")
      options.collect = value == std::string_view("yes");
    else
      throw std::invalid_argument("no such option: " + std::string(name));
  }
  const bool is_unix = options.transport == "unix";
  if (!is_unix && options.transport != "tcp" && options.transport != "udp")
    throw std::invalid_argument("--transport has to be tcp, unix or udp");
  if (is_unix == options.unix_path.empty()) throw std::invalid_argument("--unix goes with --transport unix");
  if (!options.tls_library.empty() && options.transport != "tcp")
    throw std::invalid_argument("--tls goes with --transport tcp");
  return options;
}

}  // namespace limit
