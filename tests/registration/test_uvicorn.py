"""`uvicorn --loop mainspring:new_event_loop` serves on this loop."""

import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

APPLICATION = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    loop = type(asyncio.get_running_loop())
    body = f"{loop.__module__}.{loop.__qualname__}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_uvicorn(tmp_path, http):
    (tmp_path / "application.py").write_text(APPLICATION)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--loop", "mainspring:new_event_loop", "--http", http,
             "--fd", str(sock.fileno()), "--lifespan", "off", "application:app"],
            cwd=tmp_path,
            pass_fds=[sock.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
            with urllib.request.urlopen(url, timeout=30) as answer:
                body = answer.read().decode()
            process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=30)
        finally:
            process.kill()
            process.communicate()
    assert body.startswith("mainspring.")
    assert body.endswith(".Loop")
    assert "Finished server process" in text, text
