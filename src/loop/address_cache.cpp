#include "loop/address_cache.hpp"

namespace mainspring {

// The first eight bytes have family, port and the IPv4 address, the others an IPv6 address and its scope.
size_t AddressCache::place_of(const void* address, socklen_t size) {
  uint64_t key = 0;
  for (socklen_t at = 0; at + sizeof key <= size; at += sizeof key) {
    uint64_t part;
    std::memcpy(&part, static_cast<const char*>(address) + at, sizeof part);
    key = (key ^ part) * 31;
  }
  return place_of(key);
}

PyObject* AddressCache::to_python(const sockaddr* address, socklen_t size) {
  Address known;
  known.set(address, size);
  if (size != (known.family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6))) return known.to_python();
  Entry& entry = by_address_[place_of(address, size)];
  if (!entry.holds(address, size)) {
    const Ref made = Ref::steal(known.to_python());
    if (!made) return nullptr;
    entry.set(made.get(), address, size);
  }
  // Whoever is heard is likely to be answered.
  PyObject* python = entry.python.get();
  Entry& answered = sent_to(python);
  if (answered.python.get() != python) answered.set(python, address, size);
  return Py_NewRef(python);
}

socklen_t AddressCache::from_python(PyObject* address, int family, sockaddr_storage* storage) {
  Entry& entry = sent_to(address);
  if (entry.python.get() == address && entry.address.sin6_family == family) {
    std::memcpy(storage, &entry.address, entry.size);
    return entry.size;
  }
  const socklen_t size = numeric_address(address, family, storage);
  if (size > 0) entry.set(address, storage, size);
  return size;
}

}  // namespace mainspring
