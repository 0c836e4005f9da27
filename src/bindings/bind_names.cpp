// What the Loop needs of the room of names.
#include "bindings/bindings.hpp"
#include "bindings/guard.hpp"
#include "loop/loop.hpp"
#include "names/numeric_answers.hpp"

namespace py = pybind11;

namespace mainspring {

namespace {

// _numeric_addresses(host, port, family, type, proto, flags)
PyObject* numeric_addresses(PyObject* self, Arguments args, Py_ssize_t count) {
  constexpr Py_ssize_t most = NumericAnswers::kArguments;
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_numeric_addresses", count, most, most)) return nullptr;
  return loop->state().numeric_answers->find(args);
}

// _learn_addresses(host, port, family, type, proto, flags, answer)
PyObject* learn_addresses(PyObject* self, Arguments args, Py_ssize_t count) {
  constexpr Py_ssize_t most = NumericAnswers::kArguments + 1;
  Loop* loop = Loop::from(self);
  if (!loop || !check_count("_learn_addresses", count, most, most)) return nullptr;
  return guarded([&] { return loop->state().numeric_answers->learn(args, args[most - 1]) ? none() : nullptr; });
}

}  // namespace

PyMethodDef name_methods_of_loop[] = {
    method("_numeric_addresses", numeric_addresses, nullptr),
    method("_learn_addresses", learn_addresses, nullptr),
    {},
};

void bind_names(ModuleState& state) { state.numeric_answers = new NumericAnswers(); }

}  // namespace mainspring
