"""How a program is told its loop: the import path of the function that makes it, as uvicorn's ``--loop`` takes it."""

from __future__ import annotations

from importlib import import_module

from mainspring.benchmarks.loops import LoopFactory


def path_of(factory: LoopFactory) -> str:
    path = f"{factory.__module__}:{factory.__qualname__}"
    if "<" in path:
        raise NotImplementedError("the function that makes this loop cannot be imported by another program")
    return path


def factory_at(path: str) -> LoopFactory:
    module, _, name = path.partition(":")
    factory: LoopFactory = getattr(import_module(module), name)
    return factory
