// What socket.getaddrinfo answers to addresses, without asking it again.
//
// Which entries an answer has, in which order, depends on the C library and on what is asked, but not on the address
// and the port. So the first answer to each kind of question is socket.getaddrinfo's own; its entries are remembered,
// and later ones get the same with their address in them. An answer that cannot be made in this way is not remembered.
#pragma once

#include <map>

#include "loop/address.hpp"
#include "python/native.hpp"

namespace mainspring {

class NumericAnswers {
 public:
  // The arguments are those of socket.getaddrinfo: host, port, family, type, proto and flags.
  static constexpr Py_ssize_t kArguments = 6;

  // A new list, or None: nothing is known yet, or `host` is not an address. nullptr with an exception set.
  PyObject* find(Arguments args);

  // Remembers what socket.getaddrinfo answered. False with an exception set.
  bool learn(Arguments args, PyObject* answer);

 private:
  // What the entries of an answer depend on.
  struct Kind {
    int address_family;
    int family;
    int type;
    int proto;
    int flags;
    bool has_port;

    auto operator<=>(const Kind&) const = default;
  };

  struct Question {
    Kind kind;
    sockaddr_storage address;
    socklen_t size;
  };

  // Programs ask few kinds of questions; more than these are asked of the system each time.
  static constexpr size_t kMostKinds = 64;

  // False for what is not certain to be answered like others of its kind. No exception is set.
  static bool understand(Arguments args, Question* question);
  static PyObject* python_address(Arguments args, const Question& question);
  static PyObject* make(Arguments args, const Question& question, PyObject* entries);

  std::map<Kind, Ref> entries_;  // tuples of (family, type, proto, canonical name)
};

}  // namespace mainspring
