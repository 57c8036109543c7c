"""The application on a real socket, in a thread of the test's process, and a client of it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.message import Message
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Run uvicorn until the block ends; yield the URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the application did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def send(
    url: str, method: str, path: str, size: int, headers: dict[str, str], *, chunked: bool
) -> tuple[int, Message, int]:
    """Send a body of a size; return status, headers, and how many bytes went out meanwhile."""
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        while sent < size:
            piece = b" " * min(65_536, size - sent)
            sent += len(piece)
            yield piece

    if not chunked:
        headers = {**headers, "Content-Length": str(size)}
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as client:
        with suppress(BrokenPipeError, ConnectionResetError):  # it listens no longer
            client.request(method, path, pieces(), headers, encode_chunked=chunked)
        with client.getresponse() as response:
            return response.status, response.headers, sent
