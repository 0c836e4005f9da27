"""Runs Python under LeakSanitizer and fails for memory that the native module has lost.

``python tests/sanitizers/leaks.py [--native] -m pytest ...``: what follows are Python's own arguments; with the
sanitizers' runtimes preloaded (``make leaks`` and ``make asan``).

CPython frees only a part of its memory at exit, so most of what LeakSanitizer finds is the interpreter's. Its own
suppressions match any frame of a stack, and everything runs beneath a frame of the loop's: they would hide either all
or nothing. Therefore the reports are read here. An allocation is the module's when the module is reached from the
innermost frame outwards before any bytecode is: code of ours, or a function of CPython's that it has called. To find
these frames takes long, since CPython has no frame pointers. With ``--native`` only what the module has allocated by
itself is looked at, which costs next to nothing: its own frame is the innermost one.

Programs that tests start are not looked at: the thread in which LeakSanitizer works crashes at the end of some of them
(GCC 12), and the program's exit status is lost. For this the tests get ASAN_OPTIONS_OF_PROGRAMS.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = re.compile(r"/mainspring/_core\.[^/]*\.so|\bmainspring::")
BYTECODE = "_PyEval_EvalFrameDefault"

# What is not counted, by a frame anywhere in the stack.
LASTING = {
    "PyInit__core": "the module, its types and its state live as long as the process",
}

# An allocator of the runtime, or of the C++ library's templates, stands between.
ALLOCATOR = re.compile(r"interceptor_|operator new|libasan|libstdc\+\+|std::|__gnu_cxx::|asan_\w+\.cpp")

OPTIONS = {
    False: "detect_leaks=1:halt_on_error=1:fast_unwind_on_malloc=0:malloc_context_size=40",
    True: "detect_leaks=1:halt_on_error=1:malloc_context_size=12",
}


def is_ours(leak: str) -> bool:
    """Whether one leak of a report, with its stack, is the module's."""
    if any(frame in leak for frame in LASTING):
        return False
    for line in leak.splitlines():
        if BYTECODE in line:
            return False
        if OURS.search(line):
            return True
    return False


def is_native(leak: str) -> bool:
    """Whether the module itself has called the allocator."""
    frames = [line for line in leak.splitlines() if line.lstrip().startswith("#")]
    if any(frame in leak for frame in LASTING):
        return False
    outside = [frame for frame in frames if OURS.search(frame) or not ALLOCATOR.search(frame)]
    return bool(outside and OURS.search(outside[0]))


def leaks_of(report: str) -> list[str]:
    """The leaks in a report, each with its stack."""
    return [part.strip() for part in report.split("\n\n") if re.search(r"^(Direct|Indirect) leak of", part.strip())]


def is_error(report: str) -> bool:
    """Whether it tells of something else than leaks, which would have been on the process's standard error."""
    return "ERROR: AddressSanitizer" in report


def main() -> int:
    arguments = sys.argv[1:]
    native = arguments[:1] == ["--native"]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "ASAN_OPTIONS": f"{OPTIONS[native]}:log_path={folder}/report",
            # The status is that of the tests; what of the leaks counts is decided here.
            "LSAN_OPTIONS": "exitcode=0:max_leaks=0:report_objects=0",
            "ASAN_OPTIONS_OF_PROGRAMS": "detect_leaks=0:halt_on_error=1",
            "PYTHONMALLOC": "malloc",
        }
        status = subprocess.run([sys.executable, *arguments[native:]], env=environment).returncode
        reports = [file.read_text(errors="replace") for file in Path(folder).iterdir()]
    errors = [report for report in reports if is_error(report)]
    for report in errors:
        print(f"\n{report}")
    leaks = [leak for report in reports for leak in leaks_of(report)]
    judge = is_native if native else is_ours
    ours = [leak for leak in leaks if judge(leak)]
    for leak in ours:
        print(f"\n{leak}")
    print(f"leaks: {len(reports)} processes, {len(leaks)} stacks of CPython's and others', {len(ours)} of mainspring's")
    if not leaks:
        # The interpreter always leaks something: LeakSanitizer has not run.
        print("leaks: no process has reported anything, so this proves nothing")
        return 1
    return status or bool(ours or errors)


if __name__ == "__main__":
    sys.exit(main())
