"""A primary and its hot standby, made with the bundled pg_basebackup."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from support.backends import kill_server
from todo_sql.embedded.cluster import Cluster, postmaster
from todo_sql.embedded.programs import Account, binaries, reachable, run
from todo_sql.embedded.temporary import temporary_server

SETTINGS = {"wal_level": "replica", "max_wal_senders": "5", "synchronous_commit": "on"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary and its standby.

    Attributes:
        primary: URL of the primary's database ``postgres``, as superuser.
        standby: The same on the standby.
        cluster: The standby.
    """

    primary: str
    standby: str
    cluster: Cluster

    def start(self) -> None:
        """Start the standby, also after a crash."""
        port = urlsplit(self.standby).port
        assert port is not None
        self.cluster.start(port, {"listen_addresses": "127.0.0.1", **SETTINGS} | _SOCKETS)

    def kill(self) -> None:
        """End every process of the standby with SIGKILL, as a machine that loses power."""
        running = postmaster(self.cluster.data)
        assert running is not None
        kill_server(running.pid)

    def of(self, database: str) -> tuple[str, str]:
        """Return the URLs of a database on both."""
        return _with(self.primary, path=f"/{database}"), _with(self.standby, path=f"/{database}")


@contextmanager
def primary_and_standby(version: int) -> Iterator[Pair]:
    """Run both servers."""
    with temporary_server(version, settings=SETTINGS) as primary:
        url = primary.url("postgres")
        home = Path(tempfile.mkdtemp(prefix="todo-sql-standby-"))
        home.chmod(0o755)
        account = Account.choose(home / "data")
        if account:
            account.own(home)
        programs = reachable(binaries(version), account, home)
        cluster = Cluster(home, programs, account)
        try:
            command: list[str | Path] = [programs / "pg_basebackup", "-R", "-X", "stream"]
            answer = run([*command, "-D", cluster.data, "-d", url, "-c", "fast"], account)
            assert answer.returncode == 0, answer.stdout
            port = _free_port()
            pair = Pair(url, _with(url, port=port), cluster)
            pair.start()
            yield pair
        finally:
            cluster.stop()
            shutil.rmtree(home, ignore_errors=True)


_SOCKETS = {"unix_socket_directories": "", "max_connections": "200"}


def _with(url: str, *, path: str | None = None, port: int | None = None) -> str:
    parts = urlsplit(url)
    if port is not None:
        login, _, place = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{login}@{place.partition(':')[0]}:{port}")
    return urlunsplit(parts._replace(path=path) if path is not None else parts)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
