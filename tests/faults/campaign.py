"""Fault campaigns: children that run scenarios, started again after the fault that killed one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers import PORTABLE, preload

HERE = Path(__file__).parent


@dataclass(eq=False)
class Result:
    """What became of one fault."""

    loop: str
    scenario: str
    call: str
    fault: str
    nth: int
    where: str = ""
    outcome: str = ""
    told: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.loop} {self.scenario}: {self.call}() no. {self.nth} {self.fault} in {self.where or '?'}: "
            f"{self.outcome} told {self.told} {'; '.join(self.problems)}"
        )


@dataclass
class Scenario:
    """All results of one scenario on one loop."""

    plain: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)


def run_scenario(
    library: Path, loop: str, scenario: str, folder: Path, stride: int = 1, mode: tuple[str, ...] = ()
) -> Scenario:
    """Run a scenario with each fault, or the first and one in `stride`."""
    found = Scenario()
    left_out = 0
    while True:
        command = [sys.executable, "-X", "faulthandler", HERE / "child.py", loop, scenario, folder, left_out, stride]
        done = subprocess.run(
            [*map(str, command), *mode],
            env=preload.environment(library),
            capture_output=True,
            check=False,
        )
        begun: dict[str, Any] | None = None
        complete = False
        for text in done.stdout.splitlines():
            line = json.loads(text)
            if "plain" in line:
                found.plain = line["plain"]
            elif "begin" in line:
                begun = line
            elif "end" in line and begun is not None:
                if line.get("hit"):
                    found.results.append(
                        Result(
                            loop,
                            scenario,
                            begun["call"],
                            begun["fault"],
                            begun["nth"],
                            line["where"],
                            line["outcome"],
                            line["told"],
                            line["problems"],
                        )
                    )
                begun = None
            elif "done" in line:
                complete = True
        if complete:
            return found
        errors = done.stderr.decode(errors="replace")
        if begun is None:
            raise RuntimeError(f"{loop} {scenario}: the child ended with {done.returncode}:\n{errors[-3000:]}")
        crash = f"the process ended with {done.returncode}: {errors[-600:]}"
        found.results.append(
            Result(loop, scenario, begun["call"], begun["fault"], begun["nth"], outcome="crash", problems=[crash])
        )
        left_out = begun["begin"] + 1


# (scenario, call, part of the fault with the outcome or a problem, why it is not held against the loop); "" stands for
# all.
KNOWN = [
    (
        "",
        "epoll_ctl",
        "ended with -6",
        "libuv aborts when the kernel refuses what it granted uv_poll_init a moment ago",
    ),
    *(
        (
            "loop",
            call,
            "descriptors left: ['anon_inode']",
            "libuv leaves its epoll set open when uv_loop_init fails after making it",
        )
        for call in ("eventfd", "pipe2")
    ),
    *(
        (
            scenario,
            "receive",
            "short stuck",
            "the kernel gives less than was asked for when there is no more, and then the next arrival is an edge",
        )
        for scenario in ("tcp", "tcp_buffered", "streams", "tls")
    ),
    (
        "",
        "allocation",
        "without connection_made()",
        "the call failed and was reported; the default loop goes on as well",
    ),
    ("", "allocation", "lost after", "accepting failed; as on the default loop only debug mode tells"),
    (
        "sockets",
        "receive",
        "EAGAIN stuck",
        "the kernel says so when there is nothing to receive, and then the next arrival is an edge",
    ),
    (
        "streams",
        "allocation",
        "objects left",
        "CPython 3.13 loses an object's attributes, and does not release them, when it lacks memory to set __class__",
    ),
]
if PORTABLE:
    KNOWN.append(("names", "send", " stuck", "the pipe that wakes the loop has both its ends here"))


def known(result: Result) -> str | None:
    """Why this is known, if all of it is."""
    texts = [f"{result.fault} {text}" for text in result.problems or [result.outcome]]
    reasons = [
        why
        for scenario, call, text, why in KNOWN
        if scenario in ("", result.scenario) and call == result.call and any(text in entry for entry in texts)
    ]
    unknown = [
        entry
        for entry in texts
        if not any(t in entry for s, c, t, _ in KNOWN if s in ("", result.scenario) and c == result.call)
    ]
    return reasons[0] if reasons and not unknown else None


def judge(results: Scenario, run_reference: Callable[[], Scenario] | None = None) -> list[Result]:
    """The results that are wrong.

    A fault has to be told of or to make no difference, and one that the loop has to absorb makes none. Where the
    default loop, which `run_reference` is to run if need be, is no better after the same fault, it is not held against
    the loop.
    """
    wrong = {r: kind for r in results.results if (kind := _wrong(r, results))}
    if run_reference is None or all(kind == "crash" for kind in wrong.values()):
        return list(wrong)
    reference = run_reference()
    excused = {(r.call, r.fault) for r in reference.results if _wrong(r, reference)}
    return [r for r, kind in wrong.items() if kind == "crash" or (r.call, r.fault) not in excused]


def _wrong(result: Result, scenario: Scenario) -> str:
    if known(result):
        return ""
    if result.outcome == "crash":
        return "crash"
    if result.problems:
        return "problem"
    same = result.outcome == scenario.plain["outcome"]
    if result.outcome == "stuck":
        # Allowed where the loop has told why: a callback that could not be scheduled wakes nobody.
        return "" if result.told else "stuck"
    silent = not result.told and not _names_error(result.outcome)
    if not same and silent:
        return "" if result.outcome == "a datagram was lost" and result.fault != "EINTR" else "lost silently"
    # A datagram that is refused is one of several.
    lost = [entry for entry in result.told if not entry.startswith("handler") and "error_received" not in entry]
    return "told twice" if len(lost) != len(set(lost)) else ""


def _names_error(outcome: str) -> bool:
    return "error" in outcome.lower() or outcome.startswith("not made")
