"""A load on the Todo API: keep-alive connections, each a worker with requests of its own.

A small client on asyncio's streams, so that the servers and not the client are measured.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from uuid import UUID, uuid4

# How often each kind of request comes, in a hundred.
MIX = {
    "list": 45,
    "page": 5,
    "get": 20,
    "create": 12,
    "patch": 8,
    "complete": 6,
    "delete": 4,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request to send."""

    kind: str
    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; status 0 is a connection that broke."""

    kind: str
    status: int
    started: float
    seconds: float


@dataclass
class Person:
    """A signed-in user and the ids of tasks that are there."""

    cookie: str
    tasks: list[UUID]

    def requests(self, chance: random.Random) -> Iterator[Request]:
        """Yield requests without end."""
        kinds, weights = list(MIX), list(MIX.values())
        while True:
            (kind,) = chance.choices(kinds, weights)
            if kind in ("patch", "complete", "get", "delete") and len(self.tasks) < 100:
                kind = "create"
            yield self._request(kind, chance)

    def _request(self, kind: str, chance: random.Random) -> Request:
        match kind:
            case "list":
                return Request(kind, "GET", "/api/tasks?limit=20&completed=false")
            case "page":
                return Request(kind, "GET", "/api/tasks/pages/3?page_size=20")
            case "create":
                public_id = uuid4()
                body = {"title": f"task {public_id}", "public_id": str(public_id)}
                self.tasks.append(public_id)
                return Request(kind, "POST", "/api/tasks", json.dumps(body).encode())
            case "patch":
                body = {"title": f"changed {chance.random()}", "description": None}
                path = f"/api/tasks/{chance.choice(self.tasks[:-40])}"
                return Request(kind, "PATCH", path, json.dumps(body).encode())
            case "complete":
                return Request(
                    kind, "POST", f"/api/tasks/{chance.choice(self.tasks[:-40])}/complete"
                )
            case "get":
                return Request(kind, "GET", f"/api/tasks/{chance.choice(self.tasks[:-40])}")
            case _:
                return Request(kind, "DELETE", f"/api/tasks/{self.tasks.pop(chance.randrange(20))}")


class Connection:
    """One keep-alive connection to a server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: Request, cookie: str) -> tuple[int, bytes]:
        """Send a request; return the status and the body, or status 0 if it broke."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(
                f"{request.method} {request.path} HTTP/1.1\r\nHost: localhost\r\n"
                f"Cookie: {cookie}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(request.body)}\r\n\r\n".encode()
                + request.body
            )
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            status = int(head[9:12])
            _, found, rest = head.partition(b"content-length:")
            length = int(rest.split(b"\r\n", 1)[0]) if found else 0
            body = await reader.readexactly(length) if length else b""
        except (OSError, EOFError, ValueError):
            self.close()
            return 0, b""
        if b"connection: close" in head:
            self.close()
        return status, body

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass
class Load:
    """Workers that send requests one after another.

    Attributes:
        port: Where the server listens.
        people: Whose requests are sent; worker n is person n.
        workers: How many connections.
        insist: Whether a request that met a 503 or a broken connection is sent again, a
            little later, until it is answered; each request of the mix allows that.
    """

    port: int
    people: list[Person]
    workers: int
    insist: bool = False
    replies: list[Reply] = field(default_factory=list)
    created: list[bytes] = field(default_factory=list)

    async def run(self, seconds: float, seed: int) -> list[Reply]:
        """Send requests for a time; return what came back."""
        self.replies = []
        end = perf_counter() + seconds
        await asyncio.gather(
            *(
                self._work(number, end, random.Random(seed * 1000 + number))
                for number in range(self.workers)
            )
        )
        return self.replies

    async def _work(self, number: int, end: float, chance: random.Random) -> None:
        person = self.people[number % len(self.people)]
        connection = Connection(self.port)
        requests = person.requests(chance)
        while perf_counter() < end:
            request = next(requests)  # what is made is sent: its task counts as there
            repeated = False
            while True:
                started = perf_counter()
                status, _ = await connection.send(request, person.cookie)
                if repeated and request.kind == "delete" and status == 404:
                    status = 204  # the call whose answer was lost had done it
                reply = Reply(request.kind, status, started, perf_counter() - started)
                self.replies.append(reply)
                if not self.insist or status not in (0, 503):
                    break
                repeated = True
                await asyncio.sleep(0.2)
            if self.insist and request.kind == "create" and status == 201:
                self.created.append(request.body)
        connection.close()


def statuses(replies: list[Reply]) -> Counter[int]:
    """Return how often each status came."""
    return Counter(reply.status for reply in replies)
