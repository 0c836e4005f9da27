"""The examples of docs/virtual_time.md run."""

import subprocess
import sys

import pytest
from helpers.pages import python_blocks

EXAMPLES = python_blocks("virtual_time.md")


def test_the_examples_are_found():
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example(example, tmp_path):
    (tmp_path / "test_example.py").write_text(example + "\n\ndef test_that_it_was_imported():\n    pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
