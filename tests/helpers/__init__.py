"""What the tests share: the loops, ways to compare them, recording protocols, subprocesses."""

from helpers.compare import compare, normalised, outcome
from helpers.descriptors import open_descriptors
from helpers.errors import collect_errors
from helpers.loops import LOOPS, finish, is_mainspring
from helpers.programs import run_program, start_program
from helpers.protocols import Recorder, connected, serving, tcp_pair
from helpers.waiting import eventually, turns

__all__ = [
    "LOOPS",
    "Recorder",
    "collect_errors",
    "compare",
    "connected",
    "eventually",
    "finish",
    "is_mainspring",
    "normalised",
    "open_descriptors",
    "outcome",
    "run_program",
    "serving",
    "start_program",
    "tcp_pair",
    "turns",
]
