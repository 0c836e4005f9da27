"""Rows judged by their targets, the worst first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mainspring.benchmarks.loops import OURS
from mainspring.benchmarks.summary import Row
from mainspring.benchmarks.targets import Kind, Target, target_of


@dataclass(frozen=True)
class Judged:
    """A row with its target, and the share of the target that is reached."""

    row: Row
    target: Target
    reached: float | None
    """The worst of the ratios, each divided by its target; 0 where this loop failed, None with nothing to compare."""

    @property
    def met(self) -> bool:
        return self.reached is not None and self.reached >= 1


def judge(row: Row) -> Judged:
    target = target_of(row.workload)
    if OURS not in row.medians:
        return Judged(row, target, 0.0 if OURS in row.failures else None)
    shares = [
        ratio / wanted
        for ratio, wanted in (
            (row.over_peer, target.peer),
            (row.of_limit, target.limit),
            (row.speeds.get(OURS), target.default),
        )
        if ratio is not None and wanted is not None and not math.isnan(ratio)
    ]
    if target.most is not None:
        shares.append(target.most / max(row.medians[OURS], target.most / 1000))
    return Judged(row, target, min(shares, default=None))


def ranked(rows: list[Row]) -> list[Judged]:
    """The worst share first; what cannot be judged comes last."""
    judged = [judge(row) for row in rows]
    return sorted(judged, key=lambda one: math.inf if one.reached is None else one.reached)


def by_kind(judged: list[Judged]) -> list[Kind | Judged]:
    """Each kind and then its rows, the furthest ahead of its best peer first."""
    lines: list[Kind | Judged] = []
    for kind in Kind:
        rows = [one for one in judged if one.target.kind is kind]
        if rows:
            lines += [kind, *sorted(rows, key=lambda one: -(one.row.over_peer or 0))]
    return lines
