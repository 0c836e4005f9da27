"""What Prometheus reads at /metrics: the figures of the loop, of the process and of the requests."""

import asyncio
import os
import platform
import time
from http import HTTPMethod

import mainspring
from fastapi import APIRouter, Request, Response
from mainspring.prometheus import Collector
from prometheus_client import CollectorRegistry, GCCollector, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset(HTTPMethod)

router = APIRouter()


def new_registry() -> CollectorRegistry:
    """A registry that tells of this process and of the running loop."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    loop = asyncio.get_running_loop()
    runs = {
        "loop": f"{type(loop).__module__}.{type(loop).__qualname__}",
        "python": platform.python_version(),
        "process": str(os.getpid()),
    }
    Info("service", "What runs the service", registry=registry).info(runs)
    if isinstance(loop, mainspring.Loop):
        registry.register(Collector(loop))
    return registry


def request_seconds(registry: CollectorRegistry) -> Histogram:
    """What ``RequestMetrics`` fills."""
    return Histogram("service_request_seconds", "Requests", ["method", "route", "status"], registry=registry)


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """In the text format of Prometheus."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)


class RequestMetrics:
    """ASGI middleware that measures how long each request takes, by method, route and status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._children: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._histogram(scope, status).observe(time.perf_counter() - began)

    def _histogram(self, scope: Scope, status: int) -> Histogram:
        # The route and not the path, and no invented methods: clients must not be able to make labels without end.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in METHODS else "other"
        key = method, route, status
        child = self._children.get(key)
        if child is None:
            seconds: Histogram = scope["app"].state.request_seconds
            child = self._children[key] = seconds.labels(*map(str, key))
        return child
