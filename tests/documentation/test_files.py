"""The files of the source that pages name exist."""

import re

import pytest
from helpers.pages import DOCS, pages

FOLDERS = "src|python|tests|benchmarks|examples|packaging"


@pytest.mark.parametrize("page", pages())
def test_the_files_that_a_page_names(page):
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*\w)/?`", (DOCS / page).read_text())
    assert named or page != "architecture.md"
    assert [name for name in named if not (DOCS.parent / name).exists()] == []
