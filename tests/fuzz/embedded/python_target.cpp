// A fuzzer whose targets are Python modules: FUZZ_TARGET names one of the folder `targets`, whose function
// `run(loop, data)` raises when something is not as it should be.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace {

PyObject* run = nullptr;

// Python has said why.
[[noreturn]] void fail() {
  if (PyErr_Occurred()) PyErr_Print();
  std::fflush(stderr);
  std::abort();
}

void check(PyStatus status) {
  if (!PyStatus_Exception(status)) return;
  std::fprintf(stderr, "%s\n", status.err_msg ? status.err_msg : "Python does not start");
  std::abort();
}

bool search_first(const char* folder) {
  PyObject* path = PySys_GetObject("path");
  PyObject* entry = PyUnicode_FromString(folder);
  const bool done = path && entry && PyList_Insert(path, 0, entry) == 0;
  Py_XDECREF(entry);
  return done;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* target = std::getenv("FUZZ_TARGET");
  if (!target) {
    std::fputs("FUZZ_TARGET is to name a module of tests/fuzz/targets\n", stderr);
    std::exit(1);
  }
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  // As if the environment's own interpreter had been started: its packages are found.
  check(PyConfig_SetBytesString(&config, &config.program_name, FUZZ_PYTHON));
  check(Py_InitializeFromConfig(&config));
  PyConfig_Clear(&config);
  for (const char* folder : {FUZZ_HELPERS, FUZZ_TARGETS, FUZZ_PACKAGE}) {
    if (!search_first(folder)) fail();
  }
  PyObject* targets = PyImport_ImportModule("targets");
  run = targets ? PyObject_CallMethod(targets, "target", "s", target) : nullptr;
  Py_XDECREF(targets);
  if (!run) fail();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  PyObject* result =
      PyObject_CallFunction(run, "y#", reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size));
  if (!result) fail();
  Py_DECREF(result);
  return 0;
}
