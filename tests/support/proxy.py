"""A TCP proxy before PostgreSQL that counts messages and makes the network misbehave.

    with Proxy(server_url, latency=0.02) as proxy:          # 20 ms each way
        connection = psycopg.connect(proxy.url)
        with proxy.counting() as counted:
            connection.execute("select 1")
        counted.round_trips, counted.from_client, counted.from_server

        fault = proxy.fault("cut", after=3, side="client")  # the 3rd message from now is
        ...                                                 # delivered, then both ends close
        fault.fired.is_set()

        proxy.fault("stall", after=1, side="server")        # nothing moves on that connection
        proxy.fault("delay", after=1, side="client", seconds=2)
        proxy.fault("cut", match=lambda m: m.type == b"Q" and b"commit" in m.body)
        proxy.fault("cut", after=7, repeat=True)            # every 7th message

        proxy.cut_all(); proxy.clear(); proxy.refusing = True

It understands the frames of the protocol (not TLS: it answers an SSLRequest with "no"),
so faults fall on message boundaries. Faults count the matching messages of all
connections from the moment they are set. Every socket is closed on exit.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

Side = Literal["client", "server"]
Action = Literal["cut", "stall", "delay"]

_NEGOTIATIONS = (80877103, 80877104)  # SSLRequest, GSSENCRequest
_GOODBYE = b"X"
_JOIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its type byte (empty for a client's first), and what follows the length."""

    side: Side
    type: bytes
    body: bytes


@dataclass(slots=True)
class Counts:
    """What has gone through the proxy.

    Attributes:
        round_trips: How often a client began to send after an answer had reached it; the
            goodbye is none, since nobody answers it. Exact when the proxy adds a latency of
            some milliseconds; without one, an early answer to a long flight may count it twice.
    """

    connections: int = 0
    from_client: int = 0
    from_server: int = 0
    round_trips: int = 0


@dataclass(slots=True, eq=False)
class Fault:
    """Something that will go wrong, once `after` matching messages were delivered."""

    action: Action
    after: int
    side: Side | None
    seconds: float
    match: Callable[[Message], bool] | None
    repeat: bool
    seen: int = 0
    fired: threading.Event = field(default_factory=threading.Event)

    def due(self, message: Message) -> bool:
        """Count a message; say whether the fault comes after it."""
        if self.fired.is_set() and not self.repeat:
            return False
        if self.side not in (None, message.side) or (self.match and not self.match(message)):
            return False
        self.seen += 1
        if self.seen < self.after:
            return False
        self.seen = 0
        self.fired.set()
        return True


class Proxy:
    """A proxy in threads of this process, on a loopback port of its own.

    Args:
        url: The server's URL.
        latency: Seconds that each message takes each way.
    """

    def __init__(self, url: str, *, latency: float = 0.0) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self.latency = latency
        self.refusing = False
        self.counts = Counts()
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._links: list[_Link] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        login, at, _ = parts.netloc.rpartition("@")
        place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = urlunsplit(parts._replace(netloc=login + at + place))

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        # Closing a listening socket does not wake accept(); a shutdown does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(_JOIN_SECONDS)
        for link in list(self._links):
            link.close()

    def fault(
        self,
        action: Action,
        *,
        after: int = 1,
        side: Side | None = None,
        seconds: float = 0.0,
        match: Callable[[Message], bool] | None = None,
        repeat: bool = False,
    ) -> Fault:
        """Set a fault; it strikes the connection of the message that it follows.

        Args:
            action: ``cut`` closes both ends, ``stall`` stops both directions until
                `clear`, ``delay`` holds one direction for `seconds`.
            after: How many matching messages are delivered first.
            side: Count messages from this side only; None: from both.
            seconds: Length of a delay.
            match: Count only the messages for which this is true.
            repeat: Strike again after every `after` messages.
        """
        fault = Fault(action, after, side, seconds, match, repeat)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget the faults and let stalled connections go on."""
        with self._lock:
            self._faults.clear()
        for link in list(self._links):
            link.moving.set()

    def cut_all(self) -> None:
        """Close every connection now."""
        for link in list(self._links):
            link.cut()

    @contextlib.contextmanager
    def counting(self) -> Iterator[Counts]:
        """Hand out counts of the block; they are filled in at its end."""
        before = replace(self.counts)
        counted = Counts()
        try:
            yield counted
        finally:
            for name in Counts.__slots__:
                setattr(counted, name, getattr(self.counts, name) - getattr(before, name))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self.counts.connections += 1
                link = _Link(self, client, server)
                self._links.append(link)
            link.start()

    def _seen(self, link: _Link, message: Message) -> Fault | None:
        with self._lock:
            if message.side == "client":
                self.counts.from_client += 1
                if link.answered and message.type != _GOODBYE:
                    self.counts.round_trips += 1
                    link.answered = False
            else:
                self.counts.from_server += 1
            struck = None
            for fault in self._faults:
                if fault.due(message):
                    struck = fault
            return struck


class _Link:
    """One connection: a reader and a writer for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy = proxy
        self.sockets: dict[Side, socket.socket] = {"client": client, "server": server}
        self.moving = threading.Event()
        self.moving.set()
        self.answered = True  # the first message begins a round trip
        self.threads: list[threading.Thread] = []
        self.at_work = 4
        for one in self.sockets.values():
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for side in ("client", "server"):
            pipe: _Pipe = queue.SimpleQueue()
            self.threads.append(threading.Thread(target=self._read, args=(side, pipe), daemon=True))
            self.threads.append(
                threading.Thread(target=self._write, args=(side, pipe), daemon=True)
            )
        for thread in self.threads:
            thread.start()

    def cut(self) -> None:
        """Close both ends; what was delivered before stays delivered."""
        for one in self.sockets.values():
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.moving.set()

    def close(self) -> None:
        self.cut()
        for thread in self.threads:
            thread.join(_JOIN_SECONDS)

    def _ended(self) -> None:
        """Close the sockets when the last of the four threads ends."""
        with self.proxy._lock:
            self.at_work -= 1
            if self.at_work == 0:
                for one in self.sockets.values():
                    one.close()
                self.proxy._links.remove(self)

    def _read(self, side: Side, pipe: _Pipe) -> None:
        reader = _Frames(self.sockets[side], side)
        try:
            for raw, message in reader:
                if message is None:  # a negotiation: the answer is no
                    self.sockets[side].sendall(b"N")
                    continue
                fault = self.proxy._seen(self, message)
                pipe.put((time.monotonic() + self.proxy.latency, raw, fault))
        except OSError:
            pass
        pipe.put(None)
        self._ended()

    def _write(self, side: Side, pipe: _Pipe) -> None:
        other: Side = "server" if side == "client" else "client"
        try:
            while (item := pipe.get()) is not None:
                due, raw, fault = item
                wait = due - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                self.moving.wait()
                if fault is not None and fault.action != "delay":
                    self.moving.clear()  # first: the answer to this message is not to pass either
                if side == "server":
                    self.answered = True  # before: the client may be quicker than we are
                self.sockets[other].sendall(raw)
                if fault is None:
                    continue
                if fault.action == "cut":
                    break
                if fault.action == "delay":
                    time.sleep(fault.seconds)
        except OSError:
            pass
        self.cut()
        self._ended()


_Pipe = queue.SimpleQueue[tuple[float, bytes, Fault | None] | None]


class _Frames:
    """The messages that arrive on a socket, each with its bytes."""

    def __init__(self, source: socket.socket, side: Side) -> None:
        self.source = source
        self.side: Side = side
        self.buffer = bytearray()

    def __iter__(self) -> Iterator[tuple[bytes, Message | None]]:
        started = self.side == "server"
        while True:
            head = 5 if started else 4
            if not self._fill(head):
                return
            (length,) = struct.unpack_from("!i", self.buffer, head - 4)
            total = length + head - 4
            if not self._fill(total):
                return
            raw = bytes(self.buffer[:total])
            del self.buffer[:total]
            if started:
                yield raw, Message(self.side, raw[:1], raw[5:])
            elif struct.unpack_from("!i", raw, 4)[0] in _NEGOTIATIONS:
                yield raw, None
            else:
                started = True
                yield raw, Message(self.side, b"", raw[4:])

    def _fill(self, wanted: int) -> bool:
        while len(self.buffer) < wanted:
            chunk = self.source.recv(65536)
            if not chunk:
                return False
            self.buffer += chunk
        return True
