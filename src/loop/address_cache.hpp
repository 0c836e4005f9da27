// The last socket addresses and their Python tuples, in both directions: texts of addresses take longer to make and to
// parse than a datagram takes to send.
//
// A tuple is known by its identity, which holds because the cache keeps it alive and because nothing but immutable
// objects is in it; for the same reason the collector need not look in here. An address that comes to another's place
// replaces it.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "loop/address.hpp"

namespace mainspring {

class AddressCache {
 public:
  // An IPv4 or IPv6 address that the kernel gave, as Python's socket gives it. A new reference; nullptr with an
  // exception set.
  PyObject* to_python(const sockaddr* address, socklen_t size);

  // The socket address of a tuple for a socket of `family`; 0 when Python has to look at it.
  socklen_t from_python(PyObject* address, int family, sockaddr_storage* storage);

 private:
  static constexpr unsigned kBits = 8;

  struct Entry {
    Ref python;
    socklen_t size = 0;
    sockaddr_in6 address{};

    bool holds(const void* other, socklen_t other_size) const {
      return size == other_size && std::memcmp(&address, other, other_size) == 0;
    }
    void set(PyObject* object, const void* other, socklen_t other_size) {
      python = Ref::borrow(object);
      size = other_size;
      std::memcpy(&address, other, other_size);
    }
  };

  static size_t place_of(uint64_t key) { return (key * 0x9E3779B97F4A7C15) >> (64 - kBits); }
  static size_t place_of(const void* address, socklen_t size);
  Entry& sent_to(PyObject* address) { return by_tuple_[place_of(reinterpret_cast<uintptr_t>(address))]; }

  std::array<Entry, 1 << kBits> by_address_;
  std::array<Entry, 1 << kBits> by_tuple_;
};

}  // namespace mainspring
