"""`mainspring run`: an unmodified program on this loop, as if `python` ran it."""

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import mainspring
import pytest
from helpers.signalled import controlled

SCRIPT = Path(sysconfig.get_path("scripts")) / "mainspring"
WAYS = {"mainspring": [str(SCRIPT)], "python -m mainspring": [sys.executable, "-m", "mainspring"]}

PROGRAM = """\
import asyncio, sys

async def main():
    await asyncio.sleep(0)
    return type(asyncio.get_running_loop()).__module__.split(".")[0]

if __name__ == "__main__":
    print(asyncio.run(main()), __name__, sys.argv[1:], sys.argv[0], neighbour, sep="|")
"""


@pytest.fixture(params=WAYS)
def command(request):
    return WAYS[request.param]


@pytest.fixture
def folder(tmp_path):
    """A folder with a script and a package."""
    program = PROGRAM.replace("import asyncio, sys", "import asyncio, sys\nfrom beside import neighbour")
    (tmp_path / "beside.py").write_text("neighbour = 'imported'\n")
    (tmp_path / "script.py").write_text(program)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "__main__.py").write_text(program)
    (tmp_path / "module.py").write_text(program)
    return tmp_path


def run(command, *arguments, cwd, **keywords):
    return subprocess.run([*command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, **keywords)


def test_a_script_with_arguments(command, folder):
    done = run(command, "run", "script.py", "one", "--two", "-m", cwd=folder)
    assert done.stderr == ""
    assert done.stdout == "mainspring|__main__|['one', '--two', '-m']|script.py|imported\n"
    assert done.returncode == 0


def test_a_script_from_another_folder(command, folder, tmp_path_factory):
    done = run(command, "run", folder / "script.py", cwd=tmp_path_factory.mktemp("elsewhere"))
    assert done.stderr == ""
    assert done.stdout == f"mainspring|__main__|[]|{folder / 'script.py'}|imported\n"


@pytest.mark.parametrize("name", ["module", "package"])
def test_a_module_with_arguments(command, folder, name):
    done = run(command, "run", "-m", name, "one", "--two", cwd=folder)
    assert done.stderr == ""
    loop, main, arguments, path, neighbour = done.stdout.strip().split("|")
    assert (loop, main, arguments, neighbour) == ("mainspring", "__main__", "['one', '--two']", "imported")
    file = folder / ("module.py" if name == "module" else "package/__main__.py")
    assert os.path.samefile(path, file)


@pytest.mark.parametrize(
    ("ending", "status", "text"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('a message')", 1, "a message\n"),
        ("pass", 0, ""),
    ],
)
def test_the_exit_status_is_the_programs(command, tmp_path, ending, status, text):
    (tmp_path / "script.py").write_text(f"import sys\n{ending}\n")
    done = run(command, "run", "script.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (status, text)


def test_an_exception_is_a_traceback_and_status_one(command, tmp_path):
    (tmp_path / "script.py").write_text("import asyncio\n\nasync def main():\n    1 / 0\n\nasyncio.run(main())\n")
    done = run(command, "run", "script.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert 'script.py", line 4, in main' in done.stderr


def test_ctrl_c_ends_it_as_it_ends_python(command, tmp_path):
    (tmp_path / "script.py").write_text(
        "import asyncio\n\nasync def main():\n    print('ready', flush=True)\n    await asyncio.sleep(60)\n\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([*command, "run", "script.py"], cwd=tmp_path, stdout=-1, stderr=-1, text=True)
    with controlled(process) as program:
        program.expect("ready")
        program.send(signal.SIGINT)
        status, _, text = program.end()
    assert status == -signal.SIGINT
    assert text.rstrip().endswith("KeyboardInterrupt")


def test_a_script_that_does_not_exist(command, tmp_path):
    done = run(command, "run", "missing.py", cwd=tmp_path)
    assert done.returncode != 0
    assert "missing.py" in done.stderr


def test_a_module_that_does_not_exist(command, tmp_path):
    done = run(command, "run", "-m", "no_such_module", cwd=tmp_path)
    assert done.returncode == 1
    assert "no_such_module" in done.stderr


def test_version(command, tmp_path):
    done = run(command, "--version", cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (f"mainspring {mainspring.__version__}\n", "", 0)


def test_without_a_command_it_says_how_it_is_used(command, tmp_path):
    done = run(command, cwd=tmp_path)
    assert done.returncode == 2
    assert "usage: mainspring" in done.stderr
