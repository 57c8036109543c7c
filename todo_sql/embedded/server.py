"""The embedded PostgreSQL: a server of the project's own, started on demand.

Everything lives in one folder, ``.todo-sql/postgres-<version>/`` in the project:

    server.json   port, password of the superuser, the home of the data, and the number of
                  the folder on its file system, which no checkout can know (mode 0600)
    lock          held while a command starts, stops or resets the server
    data/  log    the data directory and the server's log

The server listens on a loopback TCP port alone, behind a random password. It is left
running for the next command. As root it runs as an unprivileged account; where that
account cannot reach the project (a home of mode 0700, say), or where the project's path
holds signs that PostgreSQL's own scripts do not quote, data and log, and if need be a copy
of the programs, live in a folder of our own outside, which server.json names.

A folder that came with a checkout is not believed: a data directory is as good as a program.
Root works in folders alone that nobody but root can exchange; in another user's project it
has a server of its own, outside.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from todo_sql.config import Config
from todo_sql.embedded import places
from todo_sql.embedded.cluster import Cluster, PortTaken, data_directory, discard, postmaster
from todo_sql.embedded.extensions import offer
from todo_sql.embedded.programs import (
    OLDEST,
    OVERRIDE,
    Account,
    binaries,
    is_plain,
    major_version,
    reachable,
)
from todo_sql.embedded.server_file import BEFORE_STATE, ServerState, StateFile
from todo_sql.errors import DatabaseError

__all__ = ["EmbeddedServer", "ServerStatus", "binaries", "server_for"]

HOST = "127.0.0.1"
SUPERUSER = "postgres"
DATABASE = "todo"
LOCK_SECONDS = 120
PORTS_TRIED = 5
NEWEST = 30
_NOT_OURS = {
    "PGHOSTADDR": f"hostaddr={HOST}",
    "PGSSLMODE": "sslmode=disable",
    "PGCHANNELBINDING": "channel_binding=prefer",
    "PGTARGETSESSIONATTRS": "target_session_attrs=any",
    "PGREQUIREAUTH": "require_auth=scram-sha-256",
    "PGOPTIONS": "options=",
}

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "dynamic_shared_memory_type": "mmap",  # in the data, so that it is gone with it
}


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What is known of the embedded server without asking it."""

    running: bool
    version: int
    port: int | None
    pid: int | None
    data: Path
    log: Path


class EmbeddedServer:
    """One PostgreSQL server and the folder that it lives in.

    Args:
        folder: The folder of this server alone; it is made when it is needed.
        programs: The folder of PostgreSQL's programs.
        durable: False trades the data's safety in a crash for speed: for tests and scratch.
        settings: PostgreSQL settings on top of ours; they hold from the next start.
        database: The database that `url` means by default, made with the data directory.
    """

    def __init__(
        self,
        folder: Path,
        programs: Path,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        database: str = DATABASE,
    ) -> None:
        self.folder = folder
        self._file = StateFile(folder)
        self.programs = programs
        self.durable = durable
        self.settings = {**SETTINGS, **({} if durable else NOT_DURABLE), **(settings or {})}
        self.database = database

    def ensure_running(self) -> str:
        """Start the server unless it runs, and return the URL of its database.

        Safe when several processes do so at once. Costs a few file reads when it runs.

        Raises:
            DatabaseError: It cannot be started; the message shows its log.
        """
        if not self._runs():
            self.start()
        return self.url()

    def start(self, *, adopt: bool = False) -> None:
        """Start the server unless it runs, making its data directory first if there is none.

        Args:
            adopt: Believe a folder that was not made here, such as a copy of one's own.

        Raises:
            DatabaseError: It cannot be started; the message shows its log.
        """
        with self._locked():
            self._start(lost=adopt and self._adopt())

    def stop(self) -> bool:
        """Stop the server by a fast shutdown; return whether it was running."""
        if not self.folder.is_dir():
            return False
        with self._locked():
            return self._end(self._home_of(self._file.believed()))

    def reset(self) -> None:
        """Stop the server, delete all its data, and start over."""
        with self._locked():
            for home in self.remains():
                if self._is_strange(home):
                    self._clear(home)
                else:
                    self._end(home)
                    discard(home)
            self._start()

    def remains(self) -> list[Path]:
        """Return the folders that `destroy` would delete.

        The one outside is found even where the project was deleted without its server.
        """
        places.check(self.folder)
        folders = [self.folder, places.outside_of(self.folder)]
        state = None if self._file.is_foreign() else self._file.believed()
        if state and state.outside:
            folders.append(Path(state.outside))  # of a project that was moved
        return [folder for folder in dict.fromkeys(folders) if places.is_ours(folder)]

    def destroy(self) -> None:
        """Stop the server and delete all that it left on this machine."""
        if not self.remains():
            return
        with self._locked():
            for home in reversed(self.remains()):  # our folder, which holds the lock, last
                if not self._is_strange(home):
                    self._end(home)
                self._clear(home)
                shutil.rmtree(home, ignore_errors=home == self.folder)
        if places.is_outside(str(self.folder.parent)):
            with suppress(OSError):  # another major version's server is in it
                self.folder.parent.rmdir()

    def status(self) -> ServerStatus:
        """Say whether the server runs, and where; read-only."""
        state = self._file.believed()
        home = self._home_of(state) if state else self.folder
        running = postmaster(data_directory(home))
        return ServerStatus(
            running=running is not None,
            version=major_version(self.programs),
            port=running.port if running else state.port if state else None,
            pid=running.pid if running else None,
            data=data_directory(home),
            log=home / "log",
        )

    def url(self, database: str | None = None) -> str:
        """Return the superuser's URL of a database; the server need not be running.

        Raises:
            DatabaseError: The server was never started.
        """
        state = self._file.believed()
        if state is None:
            raise DatabaseError(
                "the embedded PostgreSQL was never started",
                code="E109",
                fix="run `todo-sql db start`",
            )
        # What libpq's variables say of another database does not hold for this one.
        ours = [word for variable, word in _NOT_OURS.items() if os.environ.get(variable)]
        query = f"?{'&'.join(ours)}" if ours else ""
        name = self.database if database is None else database
        return f"postgresql://{SUPERUSER}:{state.password}@{HOST}:{state.port}/{name}{query}"

    def _adopt(self) -> bool:
        """Believe what the folder holds; return whether the password of its data is lost."""
        if not self._file.is_foreign():
            return False
        found = self._file.read()
        state = found or ServerState(_free_port(), secrets.token_urlsafe(24), None)
        self._file.write(replace(state, outside=self._outside()))
        return found is None

    def _runs(self) -> bool:
        state = self._file.believed()
        if state is None:
            return False
        running = postmaster(data_directory(self._home_of(state)))
        return running is not None and running.port == state.port

    # With the lock held

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with ExitStack() as stack:
            path = self.folder / "lock"
            try:
                places.check(self.folder)
                self.folder.mkdir(parents=True, exist_ok=True)
                places.check(self.folder)
                places.ignore_by_git(self.folder)
                stack.enter_context(
                    FileLock(path, LOCK_SECONDS, mode=0o600, fallback_to_soft=False)
                )
            except Timeout:
                raise DatabaseError(
                    f"another process has held {path} for {LOCK_SECONDS} seconds",
                    code="E106",
                    fix="wait for the other command, or end it, then try again",
                ) from None
            except OSError as error:
                raise DatabaseError(
                    f"the folder {self.folder} of the embedded PostgreSQL cannot be used",
                    code="E105",
                    cause=str(error),
                    fix="run the command as the user that the folder belongs to, or set "
                    "DATABASE_URL",
                ) from error
            yield

    def _start(self, *, lost: bool = False) -> None:
        if self._runs():
            return
        remembered = self._file.believed()
        self._end(self._home_of(remembered))
        state = remembered or ServerState(_free_port(), secrets.token_urlsafe(24), self._outside())
        cluster = self._cluster(self._home_of(state))
        version = major_version(self.programs)
        if not cluster.data.is_dir():
            self._file.write(state)
            cluster.create(version, SUPERUSER, state.password, self.database, durable=self.durable)
        else:
            self._check_version(cluster.data, version)
            if lost or remembered is None:
                cluster.set_password(SUPERUSER, state.password)
        settings = {**self.settings, **offer(cluster.home, version, cluster.programs)}
        for _ in range(PORTS_TRIED):
            if not _is_free(state.port):
                state = replace(state, port=_free_port())
            self._file.write(state)
            try:
                cluster.start(state.port, settings)
            except PortTaken:
                continue
            return
        raise DatabaseError(
            f"no free port on {HOST} was found in {PORTS_TRIED} tries",
            code="E102",
            fix="try again",
        )

    def _clear(self, home: Path) -> None:
        """Delete what a home holds but the lock, and last what says that the rest is ours."""
        discard(home)
        entries = (entry for entry in home.iterdir() if entry.name not in BEFORE_STATE)
        for entry in sorted(entries, key=lambda entry: entry.name == "server.json"):
            places.delete(entry)

    def _end(self, home: Path) -> bool:
        return postmaster(data_directory(home)) is not None and self._cluster(home).stop()

    def _is_strange(self, home: Path) -> bool:
        """Whether nothing in a home of ours is believed; outside, nobody else could make it."""
        return home == self.folder and self._file.is_foreign()

    def _home_of(self, state: ServerState | None) -> Path:
        outside = state.outside if state else self._outside()
        return Path(outside) if outside else self.folder

    def _outside(self) -> str | None:
        """Return a folder outside, where a server cannot work in ours, else None."""
        account = Account.choose(data_directory(self.folder))
        if account:
            places.open_to_all(self.folder)
        if is_plain(self.folder) and (account is None or account.reaches(self.folder)):
            return None
        outside = places.outside_of(self.folder)
        outside.mkdir(exist_ok=True)
        if not places.is_ours(outside):
            raise places.belongs_to_another(outside)
        places.open_to_all(outside)
        return str(outside)

    def _cluster(self, home: Path) -> Cluster:
        account = Account.choose(data_directory(home))
        return Cluster(home, reachable(self.programs, account, home), account)

    def _check_version(self, data: Path, version: int) -> None:
        try:
            made_by = int(places.short_text(data / "PG_VERSION").strip())
        except (OSError, ValueError):
            raise DatabaseError(
                f"{data} is damaged",
                code="E105",
                cause="no PG_VERSION in it says which PostgreSQL made it",
                fix="restore it, or start over with `todo-sql db reset`, without the data",
            ) from None
        if made_by != version:
            raise DatabaseError(
                f"the data in {data} is PostgreSQL {made_by}'s, the programs are {version}'s",
                code="E104",
                fix=f"name PostgreSQL {made_by} in {OVERRIDE}, or start over with `todo-sql "
                "db reset`, without the data",
            )


def server_for(config: Config) -> EmbeddedServer:
    """Return the embedded server of a project; nothing is started."""
    programs = binaries(config.postgres)
    return EmbeddedServer(_state_of(config) / f"postgres-{major_version(programs)}", programs)


def has_server(config: Config) -> bool:
    """Whether an embedded server of the project was ever started."""
    return any(_state_of(config).glob("postgres-*/server.json"))


def servers_of(config: Config) -> list[EmbeddedServer]:
    """Return the servers of every major version that a project may have left something of."""
    own = server_for(config)
    others = (own.folder.parent / f"postgres-{major}" for major in range(OLDEST, NEWEST + 1))
    return [own, *(EmbeddedServer(f, own.programs) for f in others if f != own.folder)]


def _state_of(config: Config) -> Path:
    """Return the folder of a project's servers: for root in another user's project outside."""
    strange = places.is_root() and not places.is_roots_alone(config.root)
    return places.outside_of(config.state) if strange else config.state


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
