// loop.create_future() and loop.create_task().
//
// What they make is asyncio.Future and asyncio.Task as the modules have them at the time, so that what a program
// patches there is seen. The classes in C are called without the dict of keywords that each call of a class otherwise
// makes: the loop has one that says only `loop=` itself.
#include <vector>

#include "bindings/bindings.hpp"
#include "loop/loop.hpp"
#include "streams/native_writer.hpp"

namespace mainspring {

namespace {

PyObject* make_native(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  Ref object = Ref::steal(type->tp_new(type, arguments, keywords));
  if (!object || type->tp_init(object.get(), arguments, keywords) < 0) return nullptr;
  return object.release();
}

PyObject* create_future(PyObject* self, PyObject*) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  ModuleState& state = loop->state();
  if (loop->expects_stream_writer()) [[unlikely]]
    notice_writer(state.stream_classes);
  PyObject* type = PyDict_GetItemWithError(state.asyncio_futures, loop->names().Future);
  if (!type) return PyErr_Format(PyExc_RuntimeError, "asyncio.futures has no Future");
  if (type == state.native_future) [[likely]] {
    PyObject* keywords = loop->as_keyword();
    const Ref nothing = Ref::steal(PyTuple_New(0));
    return keywords && nothing ? make_native(reinterpret_cast<PyTypeObject*>(type), nothing.get(), keywords) : nullptr;
  }
  PyObject* arguments[] = {nullptr, self};
  return PyObject_Vectorcall(type, arguments + 1, 0 | PY_VECTORCALL_ARGUMENTS_OFFSET, state.future_keywords);
}

// Whether the keywords only say that the task is to have a name of asyncio's and a copy of the current context.
bool are_defaults(const Names& names, Arguments values, PyObject* keywords) {
  if (!keywords) return true;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keywords); ++i) {
    PyObject* keyword = PyTuple_GET_ITEM(keywords, i);
    if (values[i] != Py_None || (keyword != names.name && keyword != names.context)) return false;
  }
  return true;
}

// create_task(coro, *, name=None, context=None, eager_start=None): asyncio.Task(coro, loop=self, **keywords). With a
// task factory it is BaseEventLoop's own method, whose calling convention differs between Python versions; also when
// the coroutine is not the one positional argument.
PyObject* create_task(PyObject* self, Arguments args, Py_ssize_t count, PyObject* keywords) {
  Loop* loop = Loop::from(self);
  if (!loop) return nullptr;
  ModuleState& state = loop->state();
  const Py_ssize_t keyword_count = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  constexpr Py_ssize_t kMostKeywords = 6;
  if ((loop->task_factory && loop->task_factory != Py_None) || count != 1 || keyword_count > kMostKeywords) {
    std::vector<PyObject*> all{self};
    all.insert(all.end(), args, args + count + keyword_count);
    return PyObject_Vectorcall(state.base_create_task, all.data(), static_cast<size_t>(count) + 1, keywords);
  }
  if (!loop->check_open()) return nullptr;
  PyObject* type = PyDict_GetItemWithError(state.asyncio_tasks, loop->names().Task);
  if (!type) return PyErr_Format(PyExc_RuntimeError, "asyncio.tasks has no Task");
  if (type == state.native_task && are_defaults(loop->names(), args + count, keywords)) [[likely]] {
    PyObject* just_loop = loop->as_keyword();
    const Ref coroutine = Ref::steal(PyTuple_Pack(1, args[0]));
    return just_loop && coroutine ? make_native(reinterpret_cast<PyTypeObject*>(type), coroutine.get(), just_loop)
                                  : nullptr;
  }
  PyObject* values[3 + kMostKeywords] = {nullptr, args[0]};
  for (Py_ssize_t i = 0; i < keyword_count; ++i) values[2 + i] = args[count + i];
  values[2 + keyword_count] = self;
  if (keyword_count == 0) {
    return PyObject_Vectorcall(type, values + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, state.future_keywords);
  }
  const Ref all = Ref::steal(PyTuple_New(keyword_count + 1));
  if (!all) return nullptr;
  for (Py_ssize_t i = 0; i < keyword_count; ++i) {
    PyTuple_SET_ITEM(all.get(), i, Py_NewRef(PyTuple_GET_ITEM(keywords, i)));
  }
  PyTuple_SET_ITEM(all.get(), keyword_count, Py_NewRef(loop->names().loop));
  return PyObject_Vectorcall(type, values + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, all.get());
}

// The class in C of this name, nullptr where asyncio has none or it is called in a way of its own. A new reference.
PyObject* native_class(PyObject* accelerator, const char* name) {
  Ref type = Ref::steal(PyObject_GetAttrString(accelerator, name));
  if (!type) PyErr_Clear();
  if (!type || !PyType_Check(type.get())) return nullptr;
  const auto* slots = reinterpret_cast<PyTypeObject*>(type.get());
  return !slots->tp_vectorcall && slots->tp_new && slots->tp_init ? type.release() : nullptr;
}

}  // namespace

PyMethodDef future_methods_of_loop[] = {
    bare_method("create_future", create_future, "A new asyncio.Future attached to this loop."),
    keyword_method("create_task", create_task,
                   "create_task(coro, *, name=None, context=None, **keywords): schedules a coroutine as an "
                   "asyncio.Task, or what the task factory makes of it."),
    {},
};

void bind_futures(ModuleState& state) {
  state.future_keywords = PyTuple_Pack(1, state.names.loop);
  if (!state.future_keywords) throw pybind11::error_already_set();
  const Ref accelerator = Ref::steal(PyImport_ImportModule("_asyncio"));
  if (!accelerator) return PyErr_Clear();
  state.native_future = native_class(accelerator.get(), "Future");
  state.native_task = native_class(accelerator.get(), "Task");
}

}  // namespace mainspring
