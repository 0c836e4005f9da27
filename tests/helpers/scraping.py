"""Metrics over HTTP, as a Prometheus server gets them."""

import contextlib
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def exported(registry):
    """The address at which a thread serves what a registry of prometheus-client collects."""
    from prometheus_client import make_wsgi_app

    with make_server("127.0.0.1", 0, make_wsgi_app(registry), handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            thread.join()
