#include "loop/address.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "system/unix_names.hpp"

namespace mainspring {

PyObject* unix_name(int fd, bool own) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if ((own ? getsockname(fd, generic, &size) : getpeername(fd, generic, &size)) < 0) Py_RETURN_NONE;
  return address_to_python(generic, size);
}

socklen_t numeric_address(PyObject* address, int family, sockaddr_storage* storage) {
  if (!PyTuple_CheckExact(address) || PyTuple_GET_SIZE(address) < 2) return 0;
  PyObject* host = PyTuple_GET_ITEM(address, 0);
  PyObject* port = PyTuple_GET_ITEM(address, 1);
  if (!PyUnicode_CheckExact(host) || !PyLong_CheckExact(port)) return 0;
  Py_ssize_t length = 0;
  const char* text = PyUnicode_AsUTF8AndSize(host, &length);
  const long number = text ? PyLong_AsLong(port) : -1;
  if (number < 0 || number > 65535) {
    PyErr_Clear();
    return 0;
  }
  // Python refuses what is more than an address behind a null character.
  if (std::strlen(text) != static_cast<size_t>(length)) return 0;
  std::memset(storage, 0, sizeof *storage);
  if (family == AF_INET && PyTuple_GET_SIZE(address) == 2) {
    auto* in = reinterpret_cast<sockaddr_in*>(storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<uint16_t>(number));
    return inet_pton(AF_INET, text, &in->sin_addr) == 1 ? sizeof *in : 0;
  }
  if (family == AF_INET6 && PyTuple_GET_SIZE(address) == 2) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(static_cast<uint16_t>(number));
    return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1 ? sizeof *in6 : 0;
  }
  return 0;
}

PyObject* address_to_python(const sockaddr* address, socklen_t size) {
  if (size == 0) Py_RETURN_NONE;
  if (address->sa_family == AF_UNIX) {
    const auto* path = reinterpret_cast<const sockaddr_un*>(address)->sun_path;
    const auto length = static_cast<Py_ssize_t>(size) - static_cast<Py_ssize_t>(offsetof(sockaddr_un, sun_path));
    if (system::kAbstractNames && length > 0 && path[0] == 0) return PyBytes_FromStringAndSize(path, length);
    const size_t most = length > 0 ? static_cast<size_t>(length) : 0;
    return PyUnicode_DecodeFSDefaultAndSize(path, static_cast<Py_ssize_t>(strnlen(path, most)));
  }
  Address known;
  known.set(address, size);
  return known.to_python();
}

void Address::set(const sockaddr* address, socklen_t size) {
  address_ = {};
  if (size <= sizeof address_) {
    std::memcpy(&address_, address, size);
  } else {
    address_.sin6_family = address->sa_family;
  }
}

void Address::set_own(int fd) {
  sockaddr_storage storage;
  socklen_t size = sizeof storage;
  address_ = {};
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0)
    set(reinterpret_cast<sockaddr*>(&storage), size);
}

void Address::set_peer(int fd) {
  sockaddr_storage storage;
  socklen_t size = sizeof storage;
  address_ = {};
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0)
    set(reinterpret_cast<sockaddr*>(&storage), size);
}

PyObject* Address::to_python() const {
  char host[INET6_ADDRSTRLEN];
  if (address_.sin6_family == AF_INET) {
    sockaddr_in address;
    std::memcpy(&address, &address_, sizeof address);
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    return Py_BuildValue("si", host, static_cast<int>(ntohs(address.sin_port)));
  }
  if (address_.sin6_family == AF_INET6) {
    inet_ntop(AF_INET6, &address_.sin6_addr, host, sizeof host);
    return Py_BuildValue("siII", host, static_cast<int>(ntohs(address_.sin6_port)),
                         static_cast<unsigned>(ntohl(address_.sin6_flowinfo)),
                         static_cast<unsigned>(address_.sin6_scope_id));
  }
  Py_RETURN_NONE;
}

}  // namespace mainspring
