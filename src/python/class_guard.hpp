// ClassGuard: tells, at the price of two loads, whether a class is still the one that native code speaks for.
#pragma once

#include <vector>

#include "python/ref.hpp"

namespace mainspring {

class ClassGuard {
 public:
  // Remembers what `names`, which end with nullptr, are on `type`. Functions have to be those of `globals`, the dict of
  // their module: what was replaced before the import is not asyncio's either. False with an exception set.
  bool remember(PyTypeObject* type, PyObject* globals, const char* const* names);

  PyTypeObject* type() const { return type_; }

  // Whether all of them are still the same. Never leaves an exception set.
  bool intact() { return (version_ != 0 && type_->tp_version_tag == version_) || check(); }

 private:
  struct Entry {
    Ref name;
    Ref value;
  };

  bool check();

  PyTypeObject* type_ = nullptr;
  std::vector<Entry> entries_;
  unsigned version_ = 0;
  bool foreign_ = false;
};

}  // namespace mainspring
