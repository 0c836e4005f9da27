"""``mainspring top PID-or-URL``: what the loops behind a Prometheus endpoint do, live in the terminal."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping

import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mainspring._listening import listening

Samples = Mapping[tuple[str, ...], float]
"""The values of a loop by name, without ``mainspring_``, and the values of their other labels."""

PREFIX = "mainspring_"


def main(arguments: list[str]) -> int:
    """Run the command with these arguments; the exit status."""
    parser = argparse.ArgumentParser(prog="mainspring top", description="What loops do, live in the terminal.")
    parser.add_argument(
        "target",
        metavar="PID-or-URL",
        help="where mainspring.prometheus is served, such as http://localhost:8000/metrics, or a process that does",
    )
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="between two looks (1)")
    parser.add_argument("--once", action="store_true", help="look twice, print once and end")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        url = find(int(options.target)) if options.target.isdecimal() else options.target
        before, asked = scrape(url), time.monotonic()
        if not before:
            print(f"mainspring top: there are no metrics of mainspring at {url}", file=sys.stderr)
            return 1
        if options.once:
            time.sleep(options.interval)
            now = scrape(url)
            console.print(table(before, now, time.monotonic() - asked))
            return 0
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(options.interval)
                now, then, asked = scrape(url), asked, time.monotonic()
                live.update(table(before, now, asked - then), refresh=True)
                before = now
    except KeyboardInterrupt:
        return 0
    except (OSError, ValueError, psutil.Error) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        print(f"mainspring top: {options.target}: {reason}", file=sys.stderr)
        return 1


def find(pid: int) -> str:
    """The endpoint of a process, or of its children; a ValueError if there is none."""
    ports = []
    for host, port in listening(pid):
        url = f"http://[{host}]:{port}/metrics" if ":" in host else f"http://{host}:{port}/metrics"
        # What else listens there may answer in any way, or not at all.
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            if scrape(url, timeout=1):
                return url
        ports.append(str(port))
    where = f"only listens at {', '.join(ports)}" if ports else "listens nowhere"
    raise ValueError(f"the process serves no metrics of mainspring at /metrics: it {where}")


def scrape(url: str, timeout: float = 10) -> Mapping[str, Samples]:
    """The samples of each loop, by its name; for so many seconds the server may be silent."""
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        text = answer.read().decode()
    loops: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            loop = labels.pop("loop", None)
            if loop is not None and sample.name.startswith(PREFIX):
                key = (sample.name.removeprefix(PREFIX), *labels.values())
                loops.setdefault(loop, {})[key] = sample.value
    return loops


def table(before: Mapping[str, Samples], now: Mapping[str, Samples], seconds: float) -> Table:
    """A column for each loop."""
    result = Table(title=f"mainspring, over {seconds:.1f} s", title_justify="left")
    result.add_column("loop")
    columns = []
    for name, samples in now.items():
        result.add_column(name, justify="right")
        columns.append(dict(_rows(before.get(name, {}), samples, seconds)))
    for row in columns[0] if columns else ():
        result.add_row(row, *(column[row] for column in columns))
    return result


def _rows(before: Samples, now: Samples, seconds: float) -> Iterable[tuple[str, str]]:
    def rate(name: str) -> float:
        return (now.get((name,), 0) - before.get((name,), 0)) / seconds

    def gauge(name: str, *labels: str) -> str:
        return f"{now.get((name, *labels), 0):,.0f}"

    measured = ("kernel_time_seconds_total",) in now
    yield "busy", f"{100 * max(0.0, 1 - rate('kernel_time_seconds_total')):.0f} %" if measured else "not measured"
    for title, name in (("lag", "lag_seconds"), ("callback time", "callback_time_seconds")):
        for share in (0.5, 0.99):
            limit = quantile(before, now, f"{name}_bucket", share)
            yield f"{title}, p{share * 100:.0f}", "none" if limit is None else f"≤ {_duration(limit)}"
    for title, name in (("turns", "turns"), ("callbacks", "callbacks"), ("I/O events", "io_events")):
        yield f"{title} a second", f"{rate(f'{name}_total'):,.0f}"
    for title, name in (("received", "received"), ("sent", "sent")):
        yield title, f"{rate(f'{name}_bytes_total') / 1e6:,.2f} MB/s"
    yield "accepted a second", f"{rate('connections_accepted_total'):,.0f}"
    yield "ready queue", gauge("ready")
    yield "timers", gauge("timers")
    yield "TCP connections", gauge("transports", "tcp")
    yield "UNIX connections", gauge("transports", "unix")
    yield "datagram endpoints", gauge("transports", "datagram")
    yield "executor: waiting / threads", f"{gauge('executor_queue')} / {gauge('executor_threads')}"


def quantile(before: Samples, now: Samples, name: str, share: float) -> float | None:
    """The limit of the bucket in which this share of the durations between two looks ends; None if there were none."""
    counts = sorted((float(key[1]), count - before.get(key, 0)) for key, count in now.items() if key[0] == name)
    total = counts[-1][1] if counts else 0
    if not total:
        return None
    return next(limit for limit, count in counts if count >= share * total)


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:,.4g} {unit}"
    return f"{seconds * 1e6:.4g} µs"
