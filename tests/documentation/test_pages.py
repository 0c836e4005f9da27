"""Every program in docs/ runs, and prints what its page shows.

A block of ``python`` is a program. The rules for what is not run here: the pages in RUN_BY_OTHERS and those of
integrations/ have tests of their own; a block with a title is a file of examples/, which has a test of its own; and a
fragment, which could not run alone, is a block of ``py`` and counted in FRAGMENTS.
"""

import ast
from pathlib import Path

import pytest
from helpers import run_program
from helpers.pages import blocks, pages

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples"

RUN_BY_OTHERS = {"metrics.md", "shutdown.md", "virtual_time.md", "watchdog.md"}
FRAGMENTS = {"shutdown.md": 1}
LANGUAGES = {"python", "py", "console", "text", "ini", "toml", "yaml", "json", "dockerfile"}

BLOCKS = [block for page in pages() for block in blocks(page)]


def is_run_by_others(page):
    return page in RUN_BY_OTHERS or page.startswith("integrations/")


PROGRAMS = [b for b in BLOCKS if b.language == "python" and not b.title and not is_run_by_others(b.page)]


def test_there_are_programs():
    assert {"index.md", "from_asyncio.md", "from_uvloop.md", "operating.md"} <= {block.page for block in PROGRAMS}


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_prints_what_its_page_shows(block):
    done = run_program(block.text)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == block.shown


def test_pages_that_others_run_are_run():
    others = [path.read_text() for path in TESTS.rglob("*.py") if path.parent != Path(__file__).parent]
    theirs = {block.page for block in BLOCKS if block.language == "python" and is_run_by_others(block.page)}
    assert theirs >= RUN_BY_OTHERS
    assert [page for page in sorted(theirs) if not any(f'"{page}"' in source for source in others)] == []


def test_every_example_is_on_the_page():
    shown = {block.title: block.text for block in blocks("examples.md")}
    there = {str(path.relative_to(EXAMPLES.parent)) for path in EXAMPLES.rglob("*.py")}
    assert shown == {name: f'--8<-- "{name}"\n' for name in there}


def test_every_block_has_a_language():
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []
    titled = {block.page for block in BLOCKS if block.language == "python" and block.title}
    assert titled == {"examples.md"}


def test_fragments_are_few_and_are_python():
    fragments = [block for block in BLOCKS if block.language == "py"]
    for block in fragments:
        compile(block.text, str(block), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    assert {page: sum(block.page == page for block in fragments) for page in FRAGMENTS} == FRAGMENTS
    assert {block.page for block in fragments} == set(FRAGMENTS)
