"""A primary and its hot standby, made with the bundled pg_basebackup."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

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

    def wait_for_standby(self) -> None:
        """Have the primary's commits wait for a standby from now on.

        The checkpointer tells the others so, some time after the configuration was read: once
        a session that is made afterwards knows it, the next checkpoint comes after that.
        """
        with psycopg.connect(self.primary, autocommit=True) as admin:
            admin.execute("alter system set synchronous_standby_names = '*'")
            admin.execute("select pg_reload_conf()")
        _await(self.primary, "select current_setting('synchronous_standby_names') = '*'")
        with psycopg.connect(self.primary, autocommit=True) as admin:
            admin.execute("checkpoint")

    def catch_up(self) -> None:
        """Wait until the standby shows what is committed: to have it on disk is not enough."""
        with psycopg.connect(self.primary) as admin:
            row = admin.execute("select pg_current_wal_lsn()::text").fetchone()
        _await(self.standby, f"select pg_last_wal_replay_lsn() >= '{row and row[0]}'")

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


def _await(url: str, query: str) -> None:
    """Wait until a query says yes to a new session."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with psycopg.connect(url) as connection:
            if connection.execute(query.encode()).fetchone() == (True,):
                return
        time.sleep(0.02)
    raise AssertionError(f"never came true: {query}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
