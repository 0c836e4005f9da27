// The entry points that module.cpp calls, one for each room, and what they share.
#pragma once

#include <pybind11/pybind11.h>

#include "loop/module_state.hpp"

namespace mainspring {

// Each sets the types of its room in `state` and adds them to the module.
void bind_loop(pybind11::module_& module, ModuleState& state);
void bind_handles(pybind11::module_& module, ModuleState& state);
void bind_datagrams(pybind11::module_& module, ModuleState& state);
void bind_sockets(pybind11::module_& module, ModuleState& state);
void bind_names(ModuleState& state);
void bind_futures(ModuleState& state);
void bind_executor(pybind11::module_& module, ModuleState& state);
void bind_streams(pybind11::module_& module, ModuleState& state);
void bind_stream_api(pybind11::module_& module, ModuleState& state);
void bind_tls(pybind11::module_& module, ModuleState& state);
void bind_virtual_time(pybind11::module_& module);
void bind_diagnostics(pybind11::module_& module, ModuleState& state);

// A heap type made from `spec` in `module`, added to the module. Throws pybind11::error_already_set.
PyTypeObject* make_type(pybind11::module_& module, PyType_Spec& spec, PyObject* bases = nullptr);

// pybind11 keeps in each thread where the data of the interpreter are that ran there last, by the interpreter's
// address. A new one may have the address of one that is gone, so this has to come before anything that asks pybind11.
void forget_last_interpreter();

// Native methods of the Loop that belong to other rooms.
extern PyMethodDef datagram_methods_of_loop[];
extern PyMethodDef diagnostics_methods_of_loop[];
extern PyMethodDef socket_methods_of_loop[];
extern PyMethodDef executor_methods_of_loop[];
extern PyMethodDef future_methods_of_loop[];
extern PyMethodDef metrics_methods_of_loop[];
extern PyMethodDef name_methods_of_loop[];
extern PyMethodDef stream_methods_of_loop[];
extern PyMethodDef tls_methods_of_loop[];
extern PyMethodDef virtual_time_methods_of_loop[];

}  // namespace mainspring
