#include "python/arguments.hpp"

#include <string>

namespace mainspring {

namespace {

bool is_name(PyObject* keyword, const char* name) { return PyUnicode_CompareWithASCIIString(keyword, name) == 0; }

int index_of(const Signature& signature, PyObject* keyword) {
  for (int i = 0; i < signature.count; ++i) {
    if (is_name(keyword, signature.names[i])) return i;
  }
  return -1;
}

bool check_all_given(const Signature& signature, PyObject* const* values) {
  std::string names;
  int missing = 0;
  for (int i = 0; i < signature.count; ++i) {
    if (values[i]) continue;
    if (missing++) names += " and ";
    names += std::string("'") + signature.names[i] + "'";
  }
  if (!missing) return true;
  PyErr_Format(PyExc_TypeError, "%s() missing %d required positional argument%s: %s", signature.function, missing,
               missing == 1 ? "" : "s", names.c_str());
  return false;
}

// `context` is nullptr for a method without that keyword.
bool take_keywords(const Signature& signature, Arguments values, PyObject* keywords, PyObject** found,
                   PyObject** context) {
  const Py_ssize_t count = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* keyword = PyTuple_GET_ITEM(keywords, i);
    const int index = index_of(signature, keyword);
    if (index >= 0 && found[index]) {
      PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument %R", signature.function, keyword);
      return false;
    }
    if (index >= 0) {
      found[index] = values[i];
    } else if (context && is_name(keyword, "context")) {
      *context = values[i] == Py_None ? nullptr : values[i];
    } else {
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", signature.function, keyword);
      return false;
    }
  }
  return true;
}

}  // namespace

bool parse_names(const Signature& signature, ContextKeyword* context, Arguments args, Py_ssize_t count,
                 PyObject* keywords, Given* given) {
  *given = {};
  const Py_ssize_t positional = count < signature.count ? count : signature.count;
  for (Py_ssize_t i = 0; i < positional; ++i) given->values[i] = args[i];
  given->rest = args + positional;
  given->rest_count = count - positional;
  if (!take_keywords(signature, args + count, keywords, given->values, context ? &given->context : nullptr) ||
      !check_all_given(signature, given->values)) {
    return false;
  }
  const bool only_context = context && keywords && PyTuple_GET_SIZE(keywords) == 1 && count >= signature.count;
  if (only_context) Py_XSETREF(context->names, Py_NewRef(keywords));
  return true;
}

PyObject* only_argument(const Signature& signature, Arguments args, Py_ssize_t count, PyObject* keywords) {
  if (count > 1) {
    // Python counts `self`.
    return PyErr_Format(PyExc_TypeError, "%s() takes 2 positional arguments but %zd were given", signature.function,
                        count + 1);
  }
  PyObject* value = count ? args[0] : nullptr;
  if (!take_keywords(signature, args + count, keywords, &value, nullptr)) return nullptr;
  return check_all_given(signature, &value) ? value : nullptr;
}

}  // namespace mainspring
