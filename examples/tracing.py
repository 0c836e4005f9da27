"""Traces with OpenTelemetry: spans of one request belong together, across tasks and threads.

The current span is a context variable. A task has a copy of its maker's context and ``asyncio.to_thread`` hands it on;
``loop.run_in_executor`` does not. The spans are kept in memory and printed as a tree. A service would give
``BatchSpanProcessor`` an exporter to its collector instead.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import mainspring
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

tracer = trace.get_tracer("shop")


async def price(item: str) -> float:
    with tracer.start_as_current_span("price", attributes={"item": item}) as span:
        await asyncio.sleep(0.01)
        span.add_event("asked the price list")
        if item == "pear":
            raise LookupError("no pears today")
        return 1.5


def receipt(total: float) -> str:
    with tracer.start_as_current_span("receipt"):
        return f"total {total}"


async def order(number: int, items: list[str]) -> None:
    with tracer.start_as_current_span(f"order {number}"):
        prices = await asyncio.gather(*map(price, items), return_exceptions=True)
        total = sum(answer for answer in prices if isinstance(answer, float))
        await asyncio.to_thread(receipt, total)


def describe(span: ReadableSpan) -> str:
    words = [span.name, *(str(value) for value in (span.attributes or {}).values())]
    if not span.status.is_ok and span.status.description:
        words.append(f"({span.status.description})")
    return " ".join(words)


def print_tree(spans: Sequence[ReadableSpan]) -> None:
    children: dict[int | None, list[ReadableSpan]] = defaultdict(list)
    for span in spans:
        children[span.parent.span_id if span.parent else None].append(span)

    def print_below(parent: int | None, depth: int) -> None:
        for span in sorted(children[parent], key=lambda span: span.start_time or 0):
            print("  " * depth + describe(span))
            print_below(span.context.span_id, depth + 1)

    print_below(None, 0)


async def main() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    async with asyncio.TaskGroup() as orders:
        orders.create_task(order(1, ["apple", "plum"]))
        orders.create_task(order(2, ["pear", "apple"]))
    provider.shutdown()
    spans = exporter.get_finished_spans()
    print_tree(spans)
    print(len(spans), "spans in", len({span.context.trace_id for span in spans}), "traces")


if __name__ == "__main__":
    mainspring.run(main())
