// What the types of all transports have in common: their layout, attributes and methods.
#pragma once

#include <cstddef>

#include "bindings/bindings.hpp"
#include "loop/transport.hpp"
#include "python/arguments.hpp"

namespace mainspring {

inline PyGetSetDef transport_attributes[] = {
    {"_loop", Transport::get_loop, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {},
};

inline PyMemberDef transport_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Transport, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Transport, weak_references), READONLY, nullptr},
    // Whether reading is paused, under the name that programs know from the default loop's transports.
    {"_paused", T_BOOL, offsetof(Transport, paused_), READONLY, nullptr},
    {},
};

inline constexpr Signature kSetProtocol{"set_protocol", 1, {"protocol"}};

// Rows that every transport's method table begins with.
inline PyMethodDef closing_row() {
  return bare_method("is_closing", Transport::is_closing, "Whether the transport is closing or closed.");
}
inline PyMethodDef reading_row() {
  return bare_method("is_reading", Transport::is_reading, "Whether the transport is neither paused nor closing.");
}
inline PyMethodDef get_protocol_row() {
  return bare_method("get_protocol", Transport::get_protocol, "The current protocol; None once it is closed.");
}
inline PyMethodDef set_protocol_row() {
  return keyword_method("set_protocol", (named<kSetProtocol, Transport::set_protocol>),
                        "Makes another protocol the transport's.");
}
inline PyMethodDef connection_lost_row() {
  return single_method("_call_connection_lost", Transport::call_connection_lost, nullptr);
}
inline PyMethodDef extra_info_row() {
  return keyword_method("get_extra_info", Transport::get_extra_info,
                        "get_extra_info(name, default=None): information about what is beneath the transport.");
}

// The slots of a kind of transport.
template <typename Kind>
struct TransportSlots {
  TransportSlots(const char* doc, PyMethodDef* methods, PyGetSetDef* attributes = transport_attributes)
      : slots{{Py_tp_doc, const_cast<char*>(doc)},
              {Py_tp_dealloc, reinterpret_cast<void*>(Kind::dealloc)},
              {Py_tp_finalize, reinterpret_cast<void*>(Transport::finalize)},
              {Py_tp_traverse, reinterpret_cast<void*>(Kind::traverse)},
              {Py_tp_clear, reinterpret_cast<void*>(Kind::clear)},
              {Py_tp_repr, reinterpret_cast<void*>(Kind::repr)},
              {Py_tp_methods, methods},
              {Py_tp_getset, attributes},
              {Py_tp_members, transport_members},
              {0, nullptr}} {}

  PyType_Slot slots[10];
};

// Makes the type `name` from classes of asyncio.transports, the same as those of the default loop's transport. Throws
// pybind11::error_already_set.
template <typename Kind, typename... Names>
PyTypeObject* make_transport_type(pybind11::module_& module, const char* name, TransportSlots<Kind>& slots,
                                  Names... base_names) {
  const auto transports = pybind11::module_::import("asyncio.transports");
  const pybind11::tuple bases = pybind11::make_tuple(transports.attr(base_names)...);
  for (const pybind11::handle base : bases) {
    const auto* type = reinterpret_cast<PyTypeObject*>(base.ptr());
    if (type->tp_basicsize != static_cast<Py_ssize_t>(offsetof(Transport, flow_control_slots)) &&
        type->tp_basicsize != static_cast<Py_ssize_t>(offsetof(Transport, dict))) {
      throw pybind11::import_error("asyncio's transports have another layout than mainspring was written for");
    }
  }
  PyType_Spec spec = {name, sizeof(Kind), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots.slots};
  return make_type(module, spec, bases.ptr());
}

}  // namespace mainspring
