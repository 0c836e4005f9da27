"""The fuzzer's Python targets on inputs of a fixed generator, so that they are known to work where there is no clang.

An input that a fuzzer has left is run again by `python tests/fuzz/test_targets.py TARGET FILE`.
"""

import importlib
import random
import sys
from pathlib import Path

import mainspring
import pytest

sys.path.append(str(Path(__file__).parent))

TARGETS = {"addresses": 150, "stream_reader": 300, "tls_records": 150}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_finds_nothing_in_random_inputs(target, mainspring_loop):
    run = importlib.import_module(f"targets.{target}").run
    numbers = random.Random(1)
    for _ in range(TARGETS[target]):
        data = numbers.randbytes(numbers.randrange(120))
        try:
            run(mainspring_loop, data)
        except Exception as error:
            error.add_note(f"on the input {data.hex()}")
            raise


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent.parent))
    importlib.import_module(f"targets.{sys.argv[1]}").run(mainspring.new_event_loop(), Path(sys.argv[2]).read_bytes())
