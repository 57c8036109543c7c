"""What every request passes before it is routed: how often, how large, how slow it may be.

FastAPI's `max_body_size` acts when a route reads or
answers, which is after its effect; here a body that is too large is refused before anything
is read, and its connection is closed.
"""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address, ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from todo_backend.errors import answer
from todo_backend.headers import answer_headers
from todo_backend.rates import Rate

# The longest body of JSON: 50 tags of 50 characters, each escaped, are less than half of it.
MAX_BODY = 64 * 1024
# Longer ones, by method and path.
MAX_BODIES = {("POST", "/api/imports"): 20_000_000}
# Seconds that a body may take to arrive.
PATIENCE = 60.0

CLOSE = {"Connection": "close"}


class Door:
    """ASGI middleware around the whole application.

    Args:
        app: What is behind the door.
        rate: How often one address may ask.
        patience: Seconds that a body may take to arrive.
    """

    def __init__(self, app: ASGIApp, rate: Rate, patience: float = PATIENCE) -> None:
        self.app = app
        self.rate = rate
        self.patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on and watch its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = Body(scope, receive, send, self.patience)
        try:
            address = network(scope)
            if address is not None:
                self.rate.spend(address)
            body.check_length()
        except HTTPException as error:
            refusal = answer(error.status_code, error.detail, dict(error.headers or {}))
            await refusal(scope, receive, body.send)
        else:
            await self.app(scope, body.receive, body.send)


class Body:
    """The body of one request, counted as it arrives, and the headers of its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, patience: float) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        headers = Headers(scope=scope)
        self.most = MAX_BODIES.get((scope["method"], path), MAX_BODY)
        length = headers.get("content-length", "")
        self.length = int(length) if length.isdecimal() else 0
        self.is_coming = self.length > 0 or "transfer-encoding" in headers
        self.size = 0
        self.headers = answer_headers(path)
        self._receive = receive
        self._send = send
        self._deadline = asyncio.get_running_loop().time() + patience

    def check_length(self) -> None:
        """Raise 413 if the client says itself that the body is too large."""
        if self.length > self.most:
            raise self._too_large()

    async def receive(self) -> Message:
        """Receive the next piece.

        Raises:
            HTTPException: 413 or 408: it is too large, or takes too long.
        """
        if not self.is_coming:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "the body takes too long", CLOSE) from None
        self.size += len(message.get("body", b""))
        if self.size > self.most:
            raise self._too_large()
        self.is_coming = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send on; who is answered before the end of their body is not listened to further."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(self.headers | (CLOSE if self.is_coming else {}))
        await self._send(message)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is larger than {self.most} bytes", CLOSE)


def network(scope: Scope) -> str | None:
    """Return what counts as one address: of IPv6 the /64 that a household gets.

    Behind a reverse proxy it is the client's own if uvicorn trusts the proxy
    (`--forwarded-allow-ips`); None if there is none, as on a Unix socket.
    """
    if scope.get("client") is None:
        return None
    host: str = scope["client"][0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return address.packed[:8].hex()
    return host
