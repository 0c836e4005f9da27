"""The site is built without a warning and fetches nothing."""

import os
import re
import subprocess
import sys

import pytest
from helpers.pages import DOCS, pages

for library in ("mkdocs", "material", "mkdocstrings", "mkdocs_awesome_nav"):
    pytest.importorskip(library, reason="the site is built where its tools are installed, by `make docs`")


def test_the_site(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=DOCS.parent,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    made = {str(path.relative_to(tmp_path).with_suffix(".md")) for path in tmp_path.rglob("*.html")} - {"404.md"}
    assert made == set(pages())
    for path in tmp_path.rglob("*.html"):
        tags = re.findall(r"<(?:script|img|iframe|link)\b[^>]*>", path.read_text())
        assert tags
        assert [tag for tag in tags if re.search(r"(?:src|href)=[\"']?(?:https?:)?//", tag)] == []
