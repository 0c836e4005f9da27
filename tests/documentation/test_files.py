"""The files that pages name exist, and those that they have to name are named."""

import re

import pytest
from helpers.pages import DOCS, pages

FOLDERS = "src|python|tests|benchmarks|examples|packaging"


@pytest.mark.parametrize("page", pages())
def test_the_files_that_a_page_names(page):
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*\w)/?`", (DOCS / page).read_text())
    assert named or page != "architecture.md"
    assert [name for name in named if not (DOCS.parent / name).exists()] == []


def test_the_page_on_integrations_has_each_of_them():
    linked = re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "integrations" / "index.md").read_text())
    assert sorted(linked) == sorted(path.name for path in (DOCS / "integrations").glob("*.md") if path.stem != "index")
