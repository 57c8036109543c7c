"""A listener that takes itself for PostgreSQL, asks for everything and keeps what it is sent."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# SSLRequest and GSSENCRequest: neither is offered.
_REFUSED = (80877103, 80877104)
_PASSWORD_PLEASE = b"R" + struct.pack("!ii", 8, 3)
_SAID = b"SFATAL\0C28P01\0Mno\0\0"
_NO = b"E" + struct.pack("!i", 4 + len(_SAID)) + _SAID


@dataclass
class Eavesdropper:
    """What clients of one port have sent.

    Attributes:
        port: On loopback.
        heard: Everything, in order.
        asked: How many of its clients asked for an encryption by Kerberos.
    """

    port: int
    heard: bytearray = field(default_factory=bytearray)
    asked: int = 0

    def serve(self, client: socket.socket) -> None:
        """Refuse encryption, ask for the password in plain, and listen to the end."""
        with client, suppress(OSError):
            client.settimeout(10)
            while len(head := client.recv(8)) == 8:
                self.heard += head
                length, kind = struct.unpack("!ii", head)
                if kind in _REFUSED:
                    self.asked += kind == _REFUSED[1]
                    client.sendall(b"N")
                    continue
                if length > 8:
                    self.heard += client.recv(length - 8)
                client.sendall(_PASSWORD_PLEASE)
                self.heard += client.recv(65536)
                client.sendall(_NO)
                return


@contextmanager
def eavesdropping() -> Iterator[Eavesdropper]:
    """Yield a listener on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Eavesdropper(listening.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    found.serve(client)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield found
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=15)
