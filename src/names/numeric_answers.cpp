#include "names/numeric_answers.hpp"

#include <arpa/inet.h>
#include <netdb.h>

#include <climits>
#include <cstring>

namespace mainspring {

namespace {

// Others depend on the interfaces of the machine (AI_ADDRCONFIG) or put the address into the entry (AI_CANONNAME).
constexpr int kKnownFlags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;

// An int or one of its subclasses, as enumerations are.
bool to_int(PyObject* object, int* result) {
  if (!PyLong_Check(object)) return false;
  int overflow = 0;
  const long value = PyLong_AsLongAndOverflow(object, &overflow);
  if (overflow || value < INT_MIN || value > INT_MAX) return false;
  *result = static_cast<int>(value);
  return true;
}

// The text of an exact str or bytes without null characters; nullptr for anything else.
const char* to_text(PyObject* object) {
  const char* text = nullptr;
  Py_ssize_t size = 0;
  if (PyUnicode_CheckExact(object)) {
    if (!PyUnicode_IS_COMPACT_ASCII(object)) return nullptr;
    text = PyUnicode_AsUTF8AndSize(object, &size);
  } else if (PyBytes_CheckExact(object)) {
    text = PyBytes_AS_STRING(object);
    size = PyBytes_GET_SIZE(object);
  }
  return text && std::strlen(text) == static_cast<size_t>(size) ? text : nullptr;
}

// What the system makes of a larger number is its own affair.
bool to_port(PyObject* object, uint16_t* result) {
  int number = 0;
  if (PyLong_CheckExact(object)) {
    if (!to_int(object, &number)) return false;
  } else {
    const char* text = PyUnicode_CheckExact(object) ? to_text(object) : nullptr;
    if (!text || !*text || std::strlen(text) > 5) return false;
    for (; *text; ++text) {
      if (*text < '0' || *text > '9') return false;
      number = number * 10 + (*text - '0');
    }
  }
  if (number < 0 || number > 65535) return false;
  *result = static_cast<uint16_t>(number);
  return true;
}

}  // namespace

bool NumericAnswers::understand(Arguments args, Question* question) {
  Kind& kind = question->kind;
  if (!to_int(args[2], &kind.family) || !to_int(args[3], &kind.type) || !to_int(args[4], &kind.proto) ||
      !to_int(args[5], &kind.flags) || (kind.flags & ~kKnownFlags)) {
    return false;
  }
  const char* text = to_text(args[0]);
  if (!text) return false;
  uint16_t port = 0;
  kind.has_port = args[1] != Py_None;
  if (kind.has_port && !to_port(args[1], &port)) return false;
  std::memset(&question->address, 0, sizeof question->address);
  auto* in = reinterpret_cast<sockaddr_in*>(&question->address);
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&question->address);
  if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
    kind.address_family = AF_INET;
    in->sin_port = htons(port);
    question->size = sizeof *in;
  } else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
    kind.address_family = AF_INET6;
    in6->sin6_port = htons(port);
    question->size = sizeof *in6;
  } else {
    return false;
  }
  question->address.ss_family = static_cast<sa_family_t>(kind.address_family);
  // Whether an address of one family has one in the other depends on the address.
  return kind.family == AF_UNSPEC || kind.family == kind.address_family;
}

PyObject* NumericAnswers::python_address(Arguments args, const Question& question) {
  // inet_pton takes an IPv4 address only as it is written by everybody, so the text of the program is the answer's.
  if (question.kind.address_family == AF_INET && PyUnicode_CheckExact(args[0]) && PyLong_CheckExact(args[1])) {
    return PyTuple_Pack(2, args[0], args[1]);
  }
  Address address;
  address.set(reinterpret_cast<const sockaddr*>(&question.address), question.size);
  return address.to_python();
}

PyObject* NumericAnswers::make(Arguments args, const Question& question, PyObject* entries) {
  const Ref address = Ref::steal(python_address(args, question));
  Ref answer = Ref::steal(address ? PyList_New(PyTuple_GET_SIZE(entries)) : nullptr);
  if (!answer) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(entries); ++i) {
    PyObject* entry = PyTuple_GET_ITEM(entries, i);
    PyObject* made = PyTuple_Pack(5, PyTuple_GET_ITEM(entry, 0), PyTuple_GET_ITEM(entry, 1), PyTuple_GET_ITEM(entry, 2),
                                  PyTuple_GET_ITEM(entry, 3), address.get());
    if (!made) return nullptr;
    PyList_SET_ITEM(answer.get(), i, made);
  }
  return answer.release();
}

PyObject* NumericAnswers::find(Arguments args) {
  Question question;
  if (entries_.empty() || !understand(args, &question)) return none();
  const auto found = entries_.find(question.kind);
  if (found == entries_.end()) return none();
  const Kind& kind = question.kind;
  // As the function itself does: a hook may refuse the look-up.
  if (PySys_Audit("socket.getaddrinfo", "OOiii", args[0], args[1], kind.family, kind.type, kind.proto) < 0) {
    return nullptr;
  }
  const Ref entries = Ref::borrow(found->second.get());
  return make(args, question, entries.get());
}

bool NumericAnswers::learn(Arguments args, PyObject* answer) {
  Question question;
  if (entries_.size() >= kMostKinds || !PyList_CheckExact(answer) || !understand(args, &question)) return true;
  Ref entries = Ref::steal(PyTuple_New(PyList_GET_SIZE(answer)));
  if (!entries) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(answer); ++i) {
    PyObject* entry = PyList_GET_ITEM(answer, i);
    if (!PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 5) return true;
    PyObject* first = PyTuple_GetSlice(entry, 0, 4);
    if (!first) return false;
    PyTuple_SET_ITEM(entries.get(), i, first);
  }
  const Ref made = Ref::steal(make(args, question, entries.get()));
  if (!made) return false;
  const int same = PyObject_RichCompareBool(made.get(), answer, Py_EQ);
  if (same > 0) entries_.insert_or_assign(question.kind, std::move(entries));
  return same >= 0;
}

}  // namespace mainspring
