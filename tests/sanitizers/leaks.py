"""Runs pytest under LeakSanitizer and fails for memory that the native module has lost.

``python tests/sanitizers/leaks.py [pytest's arguments]``, with the sanitizers' runtimes preloaded (``make leaks``).

CPython frees only a part of its memory at exit, so most of what LeakSanitizer finds is the interpreter's. Its own
suppressions match any frame of a stack, and everything runs beneath a frame of the loop's: they would hide either all
or nothing. Therefore the reports are read here. An allocation is the module's when the module is reached from the
innermost frame outwards before any bytecode is: code of ours, or a function of CPython's that it has called.
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

# Frame pointers are missing in CPython, so its frames are found the slow way.
OPTIONS = "detect_leaks=1:fast_unwind_on_malloc=0:malloc_context_size=40:halt_on_error=1"


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


def leaks_of(report: str) -> list[str]:
    """The leaks in a report, each with its stack."""
    return [part.strip() for part in report.split("\n\n") if re.search(r"^(Direct|Indirect) leak of", part.strip())]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "ASAN_OPTIONS": f"{OPTIONS}:log_path={folder}/report",
            # The status is that of the tests; what of the leaks counts is decided here.
            "LSAN_OPTIONS": "exitcode=0:max_leaks=0:report_objects=0",
            "PYTHONMALLOC": "malloc",
        }
        status = subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], env=environment).returncode
        reports = [file.read_text(errors="replace") for file in Path(folder).iterdir()]
    leaks = [leak for report in reports for leak in leaks_of(report)]
    ours = [leak for leak in leaks if is_ours(leak)]
    for leak in ours:
        print(f"\n{leak}")
    print(f"leaks: {len(reports)} processes, {len(leaks)} stacks of CPython's and others', {len(ours)} of mainspring's")
    if not leaks:
        # The interpreter always leaks something: LeakSanitizer has not run.
        print("leaks: no process has reported anything, so this proves nothing")
        return 1
    return status or bool(ours)


if __name__ == "__main__":
    sys.exit(main())
