"""The short form of the campaign, and whether it notices what it is for."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from helpers import preload

HERE = Path(__file__).parent
# Fewer where each takes several times as long.
RACES = 300 if "asan" in os.environ.get("LD_PRELOAD", "") else 1500

pytestmark = pytest.mark.skipif(
    preload.compiler() is None,
    reason="the library in front of close() is compiled first",
)


def run(*arguments):
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=HERE, timeout=115)


def test_no_race_moves_a_byte_or_closes_anothers_descriptor():
    result = run(HERE, "--races", RACES)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"\n{RACES} races in " in result.stdout


MISTAKES = {
    "closed twice": """
        sock = socket.socket()
        os.close(sock.fileno())
        sock.close()
    """,
    "closed by others": """
        squatter.step()
        os.close(squatter._held[0][0][0].fileno())
        squatter.free_all()
    """,
    "stolen": """
        squatter.step()
        squatter._held[0][0][0].recv(1)
        squatter.free_all()
    """,
    "added to": """
        squatter.step()
        squatter._held[0][0][0].send(b"x")
        squatter.free_all()
    """,
    "foreign bytes": """
        identity.Checker(field, 7, "back").take(identity.Sender(8, "back").next(16))
    """,
    "misplaced bytes": """
        sender, checker = identity.Sender(7, "back"), identity.Checker(field, 7, "back")
        sender.next(1)
        checker.take(sender.next(16))
    """,
    "a header twice": """
        field.arrived(7)
        field.arrived(7)
    """,
    "none": """
        squatter.step()
        squatter.free_all()
        identity.Checker(field, 7, "back").take(identity.Sender(7, "back").next(16))
        field.arrived(7)
        socket.socket().close()
    """,
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_the_campaign_notices(mistake, tmp_path):
    """Each mistake that a loop could make is a violation, and none is one without it."""
    program = f"""if True:
        import contextlib, os, socket, sys
        sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]
        import identity, interposer, squatter
        from field import Field

        field = Field(0, [])
        squatter = squatter.Squatter(field, interposer.Interposer(), 8, "here")
        with contextlib.suppress(OSError):
{textwrap.indent(textwrap.dedent(MISTAKES[mistake]), " " * 12)}
        field.conclude()
        print(len(field.violations), field.violations)
    """
    environment = preload.environment(preload.build(HERE / "interposer.cpp", tmp_path))
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (result.stdout.split()[0] == "0") == (mistake == "none"), result.stdout
