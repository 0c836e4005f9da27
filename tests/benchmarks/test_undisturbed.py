"""What the benchmark makes of stretches that the machine disturbed."""

import asyncio
from contextlib import asynccontextmanager, nullcontext
from itertools import count

import pytest
from mainspring.benchmarks.generator import run_generator
from mainspring.benchmarks.service_client import ServiceClientWorkload
from mainspring.benchmarks.serving import in_thread
from mainspring.benchmarks.undisturbed import requests_per_processor_second, undisturbed
from mainspring.benchmarks.workload import Windows
from mainspring.benchmarks.workloads import echo_protocol


def test_disturbed_stretches_change_nothing():
    quiet = [100.0 + number / 10 for number in range(10)]
    assert undisturbed([*quiet, *[175.0] * 10]) == pytest.approx(100.2)
    assert undisturbed([175.0, *quiet]) == pytest.approx(100.1)


def test_one_luckier_than_the_rest_does_not_decide():
    assert undisturbed([1.0, *[100.0] * 19]) == 100.0


def test_a_single_stretch_is_the_figure():
    assert undisturbed([3.0]) == 3.0


def test_a_server_that_sleeps_is_judged_by_its_processor_time():
    figures = {"seconds": 1.0, "server_seconds": 0.5, "stretches": [[100, 0.5, 0.2], [100, 0.5, 0.3]]}
    assert requests_per_processor_second(figures) == pytest.approx(500)


def test_a_server_that_never_sleeps_is_judged_by_the_time_that_passed():
    # The kernel's account of it is late by up to a few ticks.
    figures = {"seconds": 1.0, "server_seconds": 0.98, "stretches": [[100, 0.5, 0.48], [100, 0.5, 0.5]]}
    assert requests_per_processor_second(figures) == pytest.approx(100 / 0.49)


def test_the_load_generator_reports_the_stretches_of_its_window():
    connections = 3

    async def main():
        async with echo_protocol.serve() as port:
            return await in_thread(
                lambda: run_generator("echo", port, connections=connections, size=64, warmup=0.02, duration=0.3)
            )

    figures = asyncio.run(main())
    requests, seconds, server_seconds, _ = (sum(column) for column in zip(*figures["stretches"], strict=True))
    assert len(figures["stretches"]) <= 12
    assert all(count >= 8 * connections and length >= 0.025 for count, length, *_ in figures["stretches"])
    assert all(p999 > 0 for *_, p999 in figures["stretches"])
    assert 0 < requests <= figures["requests"]
    assert 0 < seconds <= figures["seconds"]
    assert 0 < server_seconds <= figures["server_seconds"]


def figures_of_slow_server(delay, **windows):
    """What the load generator says of a server that answers its one connection after ``delay`` seconds."""

    async def slow(reader, writer):
        while data := await reader.read(64):
            await asyncio.sleep(delay)
            writer.write(data)
        writer.close()

    async def main():
        async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await in_thread(lambda: run_generator("echo", port, connections=1, size=64, **windows))

    return asyncio.run(main())


def test_where_answers_are_few_the_window_is_one_stretch():
    figures = figures_of_slow_server(0.05, warmup=0, duration=0.2)
    [[requests, seconds, server_seconds, p999]] = figures["stretches"]
    assert p999 == figures["p999_us"] >= 50_000
    assert requests == figures["requests"]
    assert seconds == pytest.approx(figures["seconds"])
    assert server_seconds == pytest.approx(figures["server_seconds"])


# As on a machine that is busy elsewhere: what was asked for before the window is answered after its end.
def test_a_window_without_an_answer_ends_with_the_first_one():
    figures = figures_of_slow_server(0.3, warmup=0.01, duration=0.01)
    assert figures["requests"] == 1
    assert figures["errors"] == 0
    assert figures["seconds"] > 0.2
    assert [requests for requests, *_ in figures["stretches"]] == [1]


# A loop may accept one connection a turn. Under load that takes seconds for a thousand of them.
def test_each_connection_has_had_an_answer_before_the_load_begins():
    events = []
    numbers = count()

    async def slow(reader, writer):
        number = next(numbers)
        while data := await reader.read(64):
            events.append(("asks", number))
            await asyncio.sleep(0.01)
            events.append(("is answered", number))
            writer.write(data)
        writer.close()

    async def main():
        async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await in_thread(lambda: run_generator("echo", port, connections=5, size=64, warmup=0, duration=0.05))

    figures = asyncio.run(main())
    assert events[:10] == [(event, number) for number in range(5) for event in ("asks", "is answered")]
    assert events[10][0] == "asks"
    assert figures["requests"] > 0
    assert figures["errors"] == 0


def test_a_client_waits_for_its_first_answer_after_the_window():
    answered = []

    @asynccontextmanager
    async def connect(_port):
        async def ask():
            await asyncio.sleep(0.3)
            answered.append(True)

        yield ask

    workload = ServiceClientWorkload("slow", lambda _processor: nullcontext(0), connect, connections=1, threads=True)
    measured = workload.measure(asyncio.new_event_loop, lambda: "checked", Windows(0.01, 0.01, 0.01))
    assert measured.value > 0
    assert measured.loop_class == "checked"
    assert measured.details["p50_us"] >= 300_000
    assert len(answered) in {1, 2}  # The first one ends the window, and who asks again is waited for.
