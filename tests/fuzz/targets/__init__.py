"""What the fuzzer runs inside an interpreter: modules with `run(loop, data)`, which raises when something is wrong."""

import functools
import importlib

import mainspring


def target(name):
    """`run` of a module of this folder, on one loop for all inputs."""
    return functools.partial(importlib.import_module(f"targets.{name}").run, mainspring.new_event_loop())
