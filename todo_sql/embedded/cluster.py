"""One data directory and the PostgreSQL programs at work on it: create, start, stop.

Nothing here takes a lock or remembers anything; `server.py` does. Root writes nothing into
the data directory, where the account that owns it could have put a link.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from todo_sql.embedded.places import belongs_to_another, delete, short_text, write_private
from todo_sql.embedded.programs import Account, run
from todo_sql.errors import DatabaseError
from todo_sql.paths import real_path

START_SECONDS = 60
STOP_SECONDS = 60
LOG_LIMIT = 5_000_000
LOG_LINES_SHOWN = 12
BUILTIN_LOCALE_SINCE = 17
SCRAM_ITERATIONS_SINCE = 16
ADMIN_OF_ROLES_SINCE = 16
# Before, whoever may make roles may join each that is no superuser's, and run programs then.
_GUARD = (
    "update pg_catalog.pg_authid set rolsuper = true where rolname in "
    "('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')"
)


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server process that is at work on a data directory."""

    pid: int
    port: int


class PortTaken(Exception):
    """The server could not listen: something else has the port."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory below `home`, its log beside it.

    Attributes:
        home: A folder of our own.
        programs: The folder of PostgreSQL's programs, reachable for `account`.
        account: The account to run them as, or None: our own.
    """

    home: Path
    programs: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The data directory."""
        return data_directory(self.home)

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "log"

    def create(
        self, version: int, superuser: str, password: str, database: str, *, durable: bool
    ) -> None:
        """Make the data directory with a database in it.

        It is made aside and then renamed, so that it is whole or absent.
        """
        building = _building(self.home)
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700)
        secret = self.home / "password.new"
        write_private(secret, password)
        if self.account:
            self.account.own(building)
            self.account.own(secret)
        try:
            answer = self._initdb(building, version, superuser, secret, durable=durable)
        finally:
            secret.unlink()
        if answer.returncode == 0:
            statements = [f'create database "{database}"']
            if not durable and version >= SCRAM_ITERATIONS_SINCE:
                # The rounds of SCRAM protect passwords that can be guessed, at 16 ms of a
                # processor for each sign-in; ours is random. Go's lib/pq refuses a single
                # round, so what a person may use keeps the default.
                statements += ["set scram_iterations = 1", _set_password(superuser, password)]
            if version < ADMIN_OF_ROLES_SINCE:
                statements.append(_GUARD)
            answer = self._alone(building, *statements)
        if answer.returncode != 0:
            shutil.rmtree(building, ignore_errors=True)
            raise DatabaseError(
                f"the data directory {self.data} could not be made",
                code="E103",
                cause=f"PostgreSQL's programs say:\n{_tail(answer.stdout)}",
                fix="correct what they complain of, or set DATABASE_URL",
            )
        building.rename(self.data)

    def _initdb(
        self, folder: Path, version: int, superuser: str, secret: Path, *, durable: bool
    ) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [
            self.programs / "initdb",
            f"--pgdata={folder}",
            f"--username={superuser}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *([] if durable else ["--no-sync"]),
        ]
        locale = ["--locale=C.UTF-8"]
        if version >= BUILTIN_LOCALE_SINCE:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        answer = run([*command, *locale], self.account)
        if answer.returncode != 0 and "invalid locale" in answer.stdout:
            answer = run([*command, "--locale=C"], self.account)
        return answer

    def _alone(self, data: Path, *statements: str) -> subprocess.CompletedProcess[str]:
        """Run statements on a data directory that no server is at work on."""
        # -j: a statement ends at a blank line; exit_on_error: its failure is the program's.
        command: list[str | Path] = [self.programs / "postgres", "--single", "-j", "-D", data]
        command += ["-c", "exit_on_error=on", "postgres"]
        return run(command, self.account, "".join(f"{each};\n\n" for each in statements))

    def start(self, port: int, settings: Mapping[str, str]) -> None:
        """Start the server on `port` and wait until it takes connections.

        Raises:
            PortTaken: Something else listens there.
            DatabaseError: It does not start; the message shows the end of its log.
        """
        options = [f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items()]
        self._prepare_log()
        self._clear_the_way()
        before = self.log.stat().st_size
        told = (f"--log={self.log}", f"--options=-p {port} {' '.join(options)}")
        # Backends of a killed postmaster may need a moment to notice that it is gone.
        for _ in range(10):
            answer = self._pg_ctl("start", START_SECONDS, *told)
            if answer.returncode == 0:
                return
            said = self.log.read_bytes()[before:].decode("utf-8", errors="replace")
            if "could not bind" in said:
                raise PortTaken
            if "is still in use" not in said:
                break
            time.sleep(0.5)
            before = self.log.stat().st_size
        raise DatabaseError(
            "the embedded PostgreSQL does not start",
            code="E102",
            cause=f"the end of {self.log}:\n{_tail(said or answer.stdout)}",
            fix="correct what the log complains of; `todo-sql db reset` starts over, without "
            "the data",
        )

    def _pg_ctl(self, verb: str, seconds: int, *told: str) -> subprocess.CompletedProcess[str]:
        waiting = ("--wait", f"--timeout={seconds}")
        program = self.programs / "pg_ctl"
        return run([program, verb, f"--pgdata={self.data}", *told, *waiting], self.account)

    def _prepare_log(self) -> None:
        if self.log.is_symlink():
            self.log.unlink()
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".old"))
        if not self.log.exists():
            write_private(self.log, "")
            if self.account:
                self.account.own(self.log)

    def _clear_the_way(self) -> None:
        """Wait for a server that is starting or stopping; remove a stale ``postmaster.pid``."""
        deadline = time.monotonic() + START_SECONDS
        while (lines := _recorded(self.data)) and psutil.pid_exists(int(lines[0])):
            if _works_on(int(lines[0]), self.data) is False:
                # PostgreSQL removes a stale file itself, unless its pid is now another
                # process of the same account.
                (self.data / "postmaster.pid").unlink()
                return
            if postmaster(self.data) is not None or time.monotonic() > deadline:
                return
            time.sleep(0.1)

    def set_password(self, superuser: str, password: str) -> None:
        """Set the superuser's password while the server is stopped."""
        answer = self._alone(self.data, _set_password(superuser, password))
        if answer.returncode != 0:
            raise DatabaseError(
                "the password of the embedded PostgreSQL is lost and cannot be set again",
                code="E103",
                cause=_tail(answer.stdout),
                fix="`todo-sql db reset` starts over, without the data",
            )

    def stop(self) -> bool:
        """Stop the server by a fast shutdown; return whether one was running."""
        if postmaster(self.data) is None:
            return False
        answer = self._pg_ctl("stop", STOP_SECONDS, "--mode=fast")
        if answer.returncode != 0 and postmaster(self.data) is not None:
            raise DatabaseError(
                f"the embedded PostgreSQL did not stop within {STOP_SECONDS} seconds",
                code="E108",
                cause=_tail(answer.stdout),
                fix=f"see {self.log}",
            )
        return True


def _set_password(superuser: str, password: str) -> str:
    return f"alter role {superuser} password '{password}'"


def data_directory(home: Path) -> Path:
    """Return the data directory below `home`."""
    return home / "data"


def discard(home: Path) -> None:
    """Delete the data directory and the log below `home`: the data is whole or absent, here too."""
    building = _building(home)
    delete(building)
    with suppress(FileNotFoundError):
        data_directory(home).rename(building)
    delete(building)
    delete(home / "log")


def _building(home: Path) -> Path:
    return home / "data.new"


def postmaster(data: Path) -> Postmaster | None:
    """Return the server that is at work on `data` and takes connections, or None.

    Reads ``postmaster.pid`` and checks that its process is alive and a server of this
    directory, so that a file that a killed server left behind is not believed.

    Raises:
        DatabaseError: The directory belongs to another account.
    """
    lines = _recorded(data, owned=True)
    if len(lines) < 8 or lines[7].strip() != "ready" or not lines[3].isdecimal():
        return None
    pid = int(lines[0])
    return None if _works_on(pid, data) is False else Postmaster(pid, int(lines[3]))


def _recorded(data: Path, *, owned: bool = False) -> list[str]:
    """Return the lines of ``postmaster.pid``, a number first; none where there is no such file."""
    try:
        lines = short_text(data / "postmaster.pid").splitlines()
    except OSError as error:  # there is none, or a link in its place
        if owned and isinstance(error, PermissionError):
            raise belongs_to_another(data) from None
        return []
    return lines if lines and lines[0].strip().isdecimal() else []


def _works_on(pid: int, data: Path) -> bool | None:
    """Whether there is such a process, a server of `data`; None where that cannot be told."""
    try:
        process = psutil.Process(pid)
        try:
            return Path(process.cwd()) == real_path(data)
        except psutil.AccessDenied:  # root without the right to trace, as in a container
            with suppress(psutil.AccessDenied):
                if any(str(data) in argument for argument in process.cmdline()):
                    return True
        return None if process.name().startswith("postgres") else False
    except psutil.NoSuchProcess:
        return False


def _tail(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines()[-LOG_LINES_SHOWN:])
