"""The pages of the documentation, whose programs the tests run."""

import re
from dataclasses import dataclass
from pathlib import Path

from helpers.programs import run_program

DOCS = Path(__file__).parents[2] / "docs"

# The words after the fence: a language, or {.language title="..."}, which formatters leave alone.
_BLOCK = re.compile(r"^```(?P<words>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    title: str
    text: str
    shown: str | None
    """What the page shows as its output: the block of ``text`` that follows it immediately."""

    def __str__(self):
        return f"{self.page}:{self.line}"


def pages():
    """The names of all pages, below docs/."""
    return sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def blocks(page):
    """All blocks of a page, in their order."""
    source = (DOCS / page).read_text()
    found = list(_BLOCK.finditer(source))
    result = []
    for number, match in enumerate(found):
        language, _, title = match["words"].strip("{.}").partition(" ")
        after = found[number + 1] if number + 1 < len(found) else None
        shows = after is not None and after["words"] == "text" and not source[match.end() : after.start()].strip()
        result.append(
            Block(
                page=page,
                line=source.count("\n", 0, match.start()) + 1,
                language=language,
                title=title.removeprefix('title="').removesuffix('"'),
                text=match["text"],
                shown=after["text"] if shows else None,
            )
        )
    return result


def python_blocks(page):
    """The programs in a page of docs/, in their order."""
    return [block.text for block in blocks(page) if block.language == "python" and not block.title]


def printed_by(page, **keywords):
    """The lines that the one program of a page prints; keywords are run_program's. Nothing goes wrong in it."""
    (code,) = python_blocks(page)
    done = run_program(code, **keywords)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.splitlines()
