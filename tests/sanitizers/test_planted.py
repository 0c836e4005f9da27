"""The sanitizers that `make asan`, `make leaks` and `make tsan` load find what is planted, so their silence means
something."""

import os
from pathlib import Path

import pytest
from helpers import preload, run_program

PRELOADED = os.environ.get("LD_PRELOAD", "")

RACE = """
    import ctypes, sys, threading
    library = ctypes.CDLL(sys.argv[1])
    threads = [threading.Thread(target=library.race) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
CALL = """
    import ctypes, sys
    getattr(ctypes.CDLL(sys.argv[1]), sys.argv[2])(1)
"""


def plant(tmp_path, sanitizer):
    source = Path(__file__).with_name("planted.cpp")
    return preload.build(source, tmp_path, f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")


@pytest.mark.skipif("libtsan" not in PRELOADED, reason="ThreadSanitizer is not loaded (make tsan)")
def test_a_race_between_threads_is_found(tmp_path):
    program = run_program(RACE, plant(tmp_path, "thread"))
    assert "ThreadSanitizer: data race" in program.stderr
    assert program.returncode == 66


@pytest.mark.skipif("libasan" not in PRELOADED, reason="AddressSanitizer is not loaded (make asan)")
@pytest.mark.parametrize(
    ("fault", "sanitizer", "found"),
    [
        ("overflow", "address", "AddressSanitizer: heap-buffer-overflow"),
        ("undefined", "undefined", "runtime error: shift exponent 40 is too large"),
    ],
)
def test_what_address_and_undefined_behaviour_sanitizer_find(tmp_path, fault, sanitizer, found):
    program = run_program(CALL, plant(tmp_path, sanitizer), fault)
    assert found in program.stderr
    assert program.returncode != 0


@pytest.mark.skipif("libasan" not in PRELOADED, reason="LeakSanitizer is not loaded (make leaks)")
def test_a_leak_is_found(tmp_path):
    options = {"ASAN_OPTIONS": "detect_leaks=1", "PYTHONMALLOC": "malloc"}
    program = run_program(CALL, plant(tmp_path, "address"), "leak", env=options)
    assert "Direct leak of 1234 byte(s)" in program.stderr
