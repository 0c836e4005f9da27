// Arguments by position or by name, as a function written in Python takes them.
//
// The methods of the default loop are such functions, so programs may name any parameter: call_later(delay=1,
// callback=f).
#pragma once

#include "python/native.hpp"

namespace mainspring {

// The parameters without a default value. `function` is the name in the texts of errors: the qualified one that the
// default loop's method has.
struct Signature {
  static constexpr int kMost = 2;

  const char* function;
  int count;
  const char* names[kMost];
};

// What a call gives: borrowed references.
struct Given {
  PyObject* values[Signature::kMost];  // of the parameters
  Arguments rest;                      // what *args collects
  Py_ssize_t rest_count;
  PyObject* context;  // the keyword `context`; nullptr for None
};

// How calls name the parameter `context`.
struct ContextKeyword {
  PyObject* name = nullptr;  // the interned "context", by which the calls of Python code are recognised

  // The tuple ("context",) that CPython's tasks and futures in C call with, whose string is not the interned one. A
  // reference, taken when such a call is seen.
  PyObject* names = nullptr;

  bool is_only_one_of(PyObject* keywords) const {
    return keywords == names || (PyTuple_GET_SIZE(keywords) == 1 && PyTuple_GET_ITEM(keywords, 0) == name);
  }
};

// The way of everything that parse() does not do at once.
bool parse_names(const Signature& signature, ContextKeyword* context, Arguments args, Py_ssize_t count,
                 PyObject* keywords, Given* given);

// `context` is nullptr for a method without that keyword. False with TypeError set.
inline bool parse(const Signature& signature, ContextKeyword* context, Arguments args, Py_ssize_t count,
                  PyObject* keywords, Given* given) {
  if (count < signature.count || (keywords && !(context && context->is_only_one_of(keywords)))) [[unlikely]]
    return parse_names(signature, context, args, count, keywords, given);
  for (int i = 0; i < signature.count; ++i) given->values[i] = args[i];
  given->rest = args + signature.count;
  given->rest_count = count - signature.count;
  given->context = keywords && args[count] != Py_None ? args[count] : nullptr;
  return true;
}

// The argument of a method that takes just one. nullptr with TypeError set.
PyObject* only_argument(const Signature& signature, Arguments args, Py_ssize_t count, PyObject* keywords);

// Makes a method of one argument that may be named.
template <const Signature& signature, SingleMethod function>
PyObject* named(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  if (count == 1 && !keywords) [[likely]]
    return function(self, args[0]);
  PyObject* argument = only_argument(signature, args, count, keywords);
  return argument ? function(self, argument) : nullptr;
}

}  // namespace mainspring
