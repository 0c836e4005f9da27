"""The commands in the pages exist, with the options that they have there, and the reference has all of them."""

import re
import shlex
import subprocess
import sys
from functools import cache

import pytest
from helpers.pages import DOCS, blocks, pages

ROOT = DOCS.parent
SUBCOMMANDS = {"run", "bench", "top"}


@cache
def help_of(*command):
    return subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=True, timeout=60, cwd=DOCS
    ).stdout


def options_in(text):
    """The options that a help text describes, each at the beginning of a line."""
    return set(re.findall(r"(?:^ +|, )(--?[a-z][a-z-]*)", text, re.MULTILINE))


def pytest_options():
    return {option for option in options_in(help_of("pytest", "--help")) if option.startswith("--mainspring")}


def commands(page):
    """The words of each command in the console blocks of a page, and of those that it names in a sentence."""
    lines = [line for block in blocks(page) if block.language == "console" for line in block.text.splitlines()]
    lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    lines += re.findall(r"`((?:mainspring|pytest|make) [^`\n]*)`", (DOCS / page).read_text())
    for line in lines:
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            # Variables of the environment come first.
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


COMMANDS = [(page, words) for page in pages() for words in commands(page)]


def of_program(name):
    found = [pytest.param(words, id=f"{page}: {' '.join(words)}") for page, words in COMMANDS if words[0] == name]
    assert found
    return found


@pytest.mark.parametrize("words", of_program("mainspring"))
def test_a_mainspring_command(words):
    subcommand, arguments = words[1], words[2:]
    assert subcommand in SUBCOMMANDS
    known = options_in(help_of("mainspring", subcommand, "--help"))
    if subcommand == "run":
        # What follows the target belongs to the program.
        options = []
        while arguments and arguments[0].startswith("-"):
            options.append(arguments.pop(0))
            if options[-1] == "--shutdown-timeout":
                float(arguments.pop(0))
    else:
        options = [word for word in arguments if word.startswith("-")]
    assert set(options) <= known


@pytest.mark.parametrize("words", of_program("pytest"))
def test_a_pytest_command(words):
    assert {word.partition("=")[0] for word in words if word.startswith("--mainspring")} <= pytest_options()


@pytest.mark.parametrize("words", of_program("make"))
def test_a_make_command(words):
    rules = re.findall(r"^([a-z][a-z -]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert words[1] in " ".join(rules).split()


def test_the_reference_has_every_subcommand_and_option():
    text = (DOCS / "reference" / "command_line.md").read_text()
    assert re.search(r"\{([a-z,]+)\}", help_of("mainspring", "--help"))[1].split(",") == ["run", "bench", "top"]
    sections = dict(re.findall(r"^## mainspring (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == SUBCOMMANDS
    for subcommand, section in sections.items():
        described = set(re.findall(r"^\| `(--?[a-z-]+)", section, re.MULTILINE))
        assert described == options_in(help_of("mainspring", subcommand, "--help")) - {"-h", "--help"}


def test_the_reference_has_every_option_of_pytest():
    text = (DOCS / "reference" / "testing.md").read_text()
    assert set(re.findall(r"^\| `(--mainspring[a-z-]*)", text, re.MULTILINE)) == pytest_options()
    (marker,) = re.findall(r"^@pytest.mark.(mainspring\w*\(.*?\)):", help_of("pytest", "--markers"), re.MULTILINE)
    assert f"`{marker}`" in text


def test_every_environment_variable_is_in_the_page_on_operating():
    sources = "".join(path.read_text() for path in (ROOT / "python").rglob("*.py"))
    read = set(re.findall(r'"(MAINSPRING_[A-Z_]+)"', sources))
    assert read
    table = re.findall(r"^\| `(MAINSPRING_[A-Z_]+)` \|", (DOCS / "operating.md").read_text(), re.MULTILINE)
    assert set(table) == read
