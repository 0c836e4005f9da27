"""gunicorn as a program: ``python -m mainspring.benchmarks.integrations.gunicorn_program LOOP PORT``."""

from __future__ import annotations

import sys
from typing import Any

from gunicorn.app.base import BaseApplication
from mainspring.benchmarks.integrations.asgi import application
from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    CONFIG_KWARGS = {**UvicornWorker.CONFIG_KWARGS, "loop": sys.argv[1], "http": "httptools"}  # noqa: RUF012


class Application(BaseApplication):
    def load_config(self) -> None:
        self.cfg.set("bind", f"127.0.0.1:{sys.argv[2]}")
        self.cfg.set("worker_class", Worker)
        # Its socket would leave a folder in the user's home.
        if "control_socket_disable" in self.cfg.settings:
            self.cfg.set("control_socket_disable", True)

    def load(self) -> Any:
        return application


if __name__ == "__main__":
    Application().run()
