"""mainspring.prometheus: scraped over HTTP, as a Prometheus server does it."""

import asyncio
import contextlib
import gc
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import mainspring
import pytest
from helpers import connected, run_program
from helpers.scraping import exported

prometheus_client = pytest.importorskip("prometheus_client")
from mainspring.prometheus import Collector  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402


@contextlib.contextmanager
def exporting(collector):
    """The address at which the collector's metrics are served by a thread."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    with exported(registry) as address:
        yield address


def scrape(address):
    """The samples by name and labels."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples[(f"mainspring_{name}", *sorted({"loop": "main", **labels}.items()))]


def test_scraped_while_the_loop_runs(mainspring_loop):
    loop = mainspring_loop

    async def main():
        async with connected() as (transport, _, peer):
            transport.write(b"x" * 1000)
            left = 1000
            while left:
                left -= len(await loop.sock_recv(peer, left))
            loop.call_later(3600, int)
            await asyncio.to_thread(int)
            # By another pool: the default one counts a thread after it has started, and by then it may have called.
            return await loop.run_in_executor(another, scrape, address)

    with exporting(Collector(loop)) as address, ThreadPoolExecutor() as another:
        samples = loop.run_until_complete(main())
    assert value(samples, "sent_bytes_total") == 1000
    assert value(samples, "received_bytes_total") == 1000
    assert value(samples, "transports", kind="tcp") == 1
    assert value(samples, "transports", kind="unix") == 0
    assert value(samples, "timers") == 1
    assert value(samples, "timers_set_total") == 1
    assert value(samples, "executor_threads") == 1
    assert value(samples, "executor_calls_total") == 1
    assert 0 < value(samples, "callbacks_total") <= loop.metrics().callbacks
    assert not [name for name, *_ in samples if "seconds" in name]


def test_durations_once_they_are_measured(mainspring_loop):
    loop = mainspring_loop
    loop.set_metrics(True)
    for _ in range(9):
        loop.call_soon(int)
    loop.call_soon(loop.stop)
    loop.run_forever()
    with exporting(Collector(loop)) as address:
        samples = scrape(address)
    assert value(samples, "callback_time_seconds_count") == 10
    assert value(samples, "callback_time_seconds_bucket", le="+Inf") == 10
    metrics = loop.metrics()
    assert value(samples, "callback_time_seconds_sum") == pytest.approx(metrics.callback_time.sum)
    for limit, count in metrics.lag.buckets[:-1]:
        assert value(samples, "lag_seconds_bucket", le=repr(limit)) == count
    assert value(samples, "kernel_time_seconds_total") == pytest.approx(metrics.kernel_time)
    assert value(samples, "executor_wait_seconds_count") == 0


def test_two_loops_and_one_that_is_gone():
    one, other = mainspring.new_event_loop(), mainspring.new_event_loop()
    collector = Collector(one)
    collector.add(other, "second")
    try:
        one.run_until_complete(asyncio.sleep(0))
        with exporting(collector) as address:
            samples = scrape(address)
            assert value(samples, "turns_total") > 0
            assert value(samples, "turns_total", loop="second") == 0
            other.close()
            assert value(scrape(address), "turns_total", loop="second") == 0
            del other
            gc.collect()
            samples = scrape(address)
        assert {dict(labels)["loop"] for _, *labels in samples} == {"main"}
    finally:
        one.close()


def test_a_name_in_use_and_another_kind_of_loop(mainspring_loop):
    collector = Collector(mainspring_loop)
    collector.add(mainspring_loop, "main")
    other = mainspring.new_event_loop()
    default = asyncio.SelectorEventLoop()
    try:
        with pytest.raises(ValueError, match="another loop is called 'main'"):
            collector.add(other, "main")
        with pytest.raises(TypeError, match="a loop of mainspring is required"):
            collector.add(default, "default")
    finally:
        other.close()
        default.close()


def test_with_the_registry_and_the_server_of_the_library():
    program = """
import asyncio, urllib.request
from concurrent.futures import ThreadPoolExecutor
import mainspring, mainspring.prometheus
from prometheus_client import REGISTRY, start_http_server

async def main():
    REGISTRY.register(mainspring.prometheus.Collector(asyncio.get_running_loop()))
    server, thread = start_http_server(0, "127.0.0.1")
    address = f"http://127.0.0.1:{server.server_port}/metrics"
    await asyncio.to_thread(int)
    with ThreadPoolExecutor() as another:
        answer = await asyncio.get_running_loop().run_in_executor(another, urllib.request.urlopen, address)
    text = answer.read().decode()
    print([line for line in text.splitlines() if line.startswith("mainspring_executor_threads")])
    server.shutdown()
    thread.join()
    server.server_close()

mainspring.run(main())
"""
    done = run_program(program)
    assert done.stderr == ""
    assert done.stdout.strip() == "['mainspring_executor_threads{loop=\"main\"} 1.0']"


def test_without_the_library():
    done = run_program("import sys; sys.modules['prometheus_client'] = None; import mainspring.prometheus")
    assert (
        "ImportError: mainspring.prometheus needs prometheus-client: pip install 'mainspring[prometheus]'"
        in done.stderr
    )
