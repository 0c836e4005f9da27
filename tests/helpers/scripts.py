"""Programs in files of their own, as users keep them: what a child process imports again, and suites of pytest."""

import subprocess
import sys

from helpers.programs import clean_environment


def run_script(folder, code, *arguments, env=(), timeout=100):
    """Write Python code to a file in the folder and run it there; a CompletedProcess with text."""
    (folder / "program.py").write_text(code)
    return _run(["program.py", *map(str, arguments)], folder, env, timeout)


def run_suite(folder, code, *options, ini="", env=(), timeout=100):
    """Run a suite of tests with pytest, these options and lines of pytest.ini; a CompletedProcess with text."""
    (folder / "test_suite.py").write_text(code)
    (folder / "pytest.ini").write_text(f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{ini}\n")
    return _run(["-m", "pytest", "-q", "-p", "no:cacheprovider", *options], folder, env, timeout)


def _run(words, folder, env, timeout):
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=clean_environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
