"""What a workload needs that is not part of this package, and may be absent."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingRequirementError(Exception):
    """Something that the workload needs is not installed; the text says what, and how to get it."""


def required(module: str, install: str = "'mainspring[bench]'") -> ModuleType:
    """Import what ``pip install`` gets by this name: a package of the ``bench`` extra, unless it is another."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingRequirementError(f"needs the package {error.name!r} (pip install {install})") from error
