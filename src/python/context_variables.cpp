#include "python/context_variables.hpp"

namespace mainspring {

bool context_layout_is_known() {
  if (PyContext_Type.tp_basicsize < static_cast<Py_ssize_t>(sizeof(ContextLayout))) return false;
  const Ref changed = Ref::steal(PyContext_New());
  const Ref variable = Ref::steal(PyContextVar_New("mainspring", nullptr));
  const Ref before = changed ? Ref::steal(PyContext_Copy(changed.get())) : Ref();
  if (!before || !variable || variables_of(before.get()) != variables_of(changed.get())) return false;
  if (PyContext_Enter(changed.get()) < 0) return false;
  const Ref token = Ref::steal(PyContextVar_Set(variable.get(), Py_None));
  const bool is_current = current_context() == changed.get();
  if (PyContext_Exit(changed.get()) < 0 || !token) return false;
  const Ref after = Ref::steal(PyContext_Copy(changed.get()));
  return after && is_current && variables_of(after.get()) == variables_of(changed.get()) &&
         variables_of(before.get()) != variables_of(changed.get());
}

}  // namespace mainspring
