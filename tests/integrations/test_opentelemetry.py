"""mainspring.opentelemetry: read by a reader of the real SDK."""

import asyncio

import mainspring
import pytest
from helpers import Recorder, connected, run_program

pytest.importorskip("opentelemetry.sdk.metrics")
from mainspring.opentelemetry import Instruments
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader):
    provider = MeterProvider(metric_readers=[reader])
    yield provider
    provider.shutdown()


def collect(reader):
    """The metrics by name."""
    data = reader.get_metrics_data()
    return {
        metric.name: metric
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def value(metrics, name, **attributes):
    (found,) = (
        point.value
        for point in metrics[f"mainspring.{name}"].data.data_points
        if dict(point.attributes) == {"loop": "main", **attributes}
    )
    return found


def test_read_while_the_loop_runs(mainspring_loop, reader, provider):
    loop = mainspring_loop
    Instruments(loop, meter_provider=provider)

    async def main():
        async with connected(Recorder) as (transport, _, peer):
            transport.write(b"x" * 1000)
            left = 1000
            while left:
                left -= len(await loop.sock_recv(peer, left))
            return await asyncio.to_thread(collect, reader)

    metrics = loop.run_until_complete(main())
    assert value(metrics, "bytes_sent") == 1000
    assert value(metrics, "bytes_received") == 1000
    assert metrics["mainspring.bytes_sent"].unit == "By"
    assert value(metrics, "transports", kind="tcp") == 1
    assert value(metrics, "transports", kind="datagram") == 0
    assert value(metrics, "executor_calls") == 1
    counted = metrics["mainspring.callbacks"].data
    assert isinstance(counted, Sum)
    assert counted.is_monotonic
    assert 0 < value(metrics, "callbacks") <= loop.metrics().callbacks
    assert not [name for name, metric in metrics.items() if metric.unit == "s"]


def test_durations_once_they_are_measured(mainspring_loop, reader, provider):
    loop = mainspring_loop
    Instruments(loop, meter_provider=provider)
    loop.set_metrics(True)
    for _ in range(9):
        loop.call_soon(int)
    loop.call_soon(loop.stop)
    loop.run_forever()
    metrics = collect(reader)
    assert value(metrics, "callback_time.count") == 10
    assert value(metrics, "callback_time.bucket", le="+Inf") == 10
    assert value(metrics, "callback_time.sum") == pytest.approx(loop.metrics().callback_time.sum)
    assert metrics["mainspring.callback_time.sum"].unit == "s"
    for limit, count in loop.metrics().lag.buckets[:-1]:
        assert value(metrics, "lag.bucket", le=repr(limit)) == count


def test_two_loops(mainspring_loop, reader, provider):
    other = mainspring.new_event_loop()
    try:
        instruments = Instruments(meter_provider=provider)
        assert collect(reader) == {}
        instruments.add(mainspring_loop, "main")
        instruments.add(other, "second")
        other.run_until_complete(asyncio.sleep(0))
        metrics = collect(reader)
        assert value(metrics, "turns") == 0
        assert value(metrics, "turns", loop="second") == other.metrics().turns > 0
    finally:
        other.close()


def test_another_kind_of_loop(provider):
    loop = asyncio.SelectorEventLoop()
    try:
        with pytest.raises(TypeError, match="a loop of mainspring is required"):
            Instruments(loop, meter_provider=provider)
    finally:
        loop.close()


def test_without_the_library():
    done = run_program("import sys; sys.modules['opentelemetry'] = None; import mainspring.opentelemetry")
    text = "ImportError: mainspring.opentelemetry needs opentelemetry-api: pip install 'mainspring[opentelemetry]'"
    assert text in done.stderr
