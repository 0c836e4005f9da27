"""Every public name is in the reference, with a docstring, and everything that is there exists."""

import importlib
import re

import pytest
from helpers.pages import DOCS

REFERENCE = DOCS / "reference"
MODULES = ["mainspring", "mainspring.prometheus", "mainspring.opentelemetry"]
LIBRARIES = {"mainspring.prometheus": "prometheus_client", "mainspring.opentelemetry": "opentelemetry"}


def described():
    """The names that the pages have a section for, which mkdocstrings makes of docstrings and stubs."""
    return {
        name
        for page in REFERENCE.glob("*.md")
        for name in re.findall(r"^::: (mainspring\.[\w.]+)$", page.read_text(), re.MULTILINE)
    }


def listed():
    """The names in the table of the first page."""
    return set(re.findall(r"^\| \[`(mainspring\.[\w.]+)`\]\[\1\]", (REFERENCE / "index.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_described(module):
    if module in LIBRARIES:
        pytest.importorskip(LIBRARIES[module])
    loaded = importlib.import_module(module)
    public = {f"{module}.{name}" for name in loaded.__all__}
    assert {name for name in described() if name.rpartition(".")[0] == module} == public
    assert {name for name in listed() if name.rpartition(".")[0] == module} == public
    for name in public:
        assert getattr(loaded, name.rpartition(".")[2]).__doc__


def test_nothing_else_is_described():
    assert {name.rpartition(".")[0] for name in described() | listed()} == set(MODULES)
