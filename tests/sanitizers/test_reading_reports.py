"""Which leaks of a report are taken for mainspring's."""

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("leaks", Path(__file__).with_name("leaks.py"))
leaks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(leaks)

MALLOC = "    #0 0x7f in __interceptor_malloc asan_malloc_linux.cpp:69"
BYTES = "    #1 0x7f in PyBytes_FromStringAndSize Objects/bytesobject.c:1"
PYTHON = "    #2 0x7f in _PyEval_EvalFrameDefault Python/generated_cases.c.h:1"
OURS = "    #3 0x7f in mainspring::Loop::run_once() /src/loop/loop_turn.cpp:1"
STRIPPED = "    #3 0x7f  (/lib/python3.13/site-packages/mainspring/_core.cpython-313-x86_64-linux-gnu.so+0x1234)"
NEW = "    #0 0x7f in operator new(unsigned long) asan_new_delete.cpp:95"
TEMPLATE = "    #1 0x7f in std::vector<int>::_M_realloc_insert /usr/include/c++/12/bits/vector.tcc:440"
START = "    #4 0x7f in PyInit__core /src/bindings/module.cpp:1"


@pytest.mark.parametrize(
    ("stack", "ours"),
    [
        ([MALLOC, BYTES, OURS], True),
        ([MALLOC, STRIPPED], True),
        ([MALLOC, BYTES, OURS, PYTHON], True),
        ([MALLOC, BYTES, PYTHON, OURS], False),
        ([MALLOC, BYTES], False),
        ([MALLOC, BYTES, OURS, START], False),
    ],
)
def test_a_leak_is_ours_when_our_code_allocated_it(stack, ours):
    leak = "\n".join(["Direct leak of 8 byte(s) in 1 object(s) allocated from:", *stack])
    report = f"==1==ERROR: LeakSanitizer: detected memory leaks\n\n{leak}\n\nSUMMARY: AddressSanitizer: 8 byte(s)\n"
    assert leaks.leaks_of(report) == [leak]
    assert leaks.is_ours(leak) == ours
    assert not leaks.is_error(report)


def test_an_error_is_not_taken_for_leaks():
    assert leaks.is_error("==1==ERROR: AddressSanitizer: SEGV on unknown address 0x0 (pc 0x1)\n")


@pytest.mark.parametrize(
    ("stack", "native"),
    [
        ([MALLOC, OURS], True),
        ([NEW, TEMPLATE, OURS], True),
        ([MALLOC, STRIPPED], True),
        ([MALLOC, BYTES, OURS], False),
        ([MALLOC, PYTHON, OURS], False),
        ([NEW, OURS, START], False),
        ([MALLOC], False),
    ],
)
def test_a_leak_is_native_when_our_code_has_called_the_allocator(stack, native):
    assert leaks.is_native("\n".join(["Direct leak of 8 byte(s) in 1 object(s) allocated from:", *stack])) == native
