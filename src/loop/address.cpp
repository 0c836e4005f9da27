#include "loop/address.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace mainspring {

PyObject* unix_name(int fd, bool own) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if ((own ? getsockname(fd, generic, &size) : getpeername(fd, generic, &size)) < 0) Py_RETURN_NONE;
  const auto length = static_cast<Py_ssize_t>(size) - static_cast<Py_ssize_t>(offsetof(sockaddr_un, sun_path));
  if (length > 0 && address.sun_path[0] == 0) return PyBytes_FromStringAndSize(address.sun_path, length);
  const size_t most = length > 0 ? static_cast<size_t>(length) : 0;
  return PyUnicode_DecodeFSDefaultAndSize(address.sun_path, static_cast<Py_ssize_t>(strnlen(address.sun_path, most)));
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
