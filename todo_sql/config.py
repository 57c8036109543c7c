"""The configuration of a project: its file, `.env`, the environment.

A project is the nearest folder, upwards, with ``[tool.todo-sql]`` in its pyproject.toml, with
a ``todo-sql.toml``, or with a folder ``migrations`` that holds files of our naming. Flags
override the environment, which overrides `.env`, which overrides the file. `.env` came with a
checkout: it says where databases are, and nothing else.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from todo_sql.errors import ConfigError, Severity
from todo_sql.paths import real_path

SECTION = "tool.todo-sql"
FILE = "todo-sql.toml"
TODO = "todo"
"""What `--project` calls the Todo project that the wheel carries."""
# Which of libpq's variables say that there is a database; the others only describe it.
LIBPQ = ("PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE")
PACKAGED = Path(__file__).parent / "project"
# What `.env` may say. Programs, libraries, files, and where and as whom a checkout's own
# migrations are tried, are for the real environment.
_FROM_DOTENV = ("DATABASE_URL", "TODO_SQL_DIRECT_URL", "TODO_SQL_REPLICA_URL")


_MIGRATION = re.compile(r"\d{14}_\w[\w.-]*\.sql")


class NoProject(ConfigError):
    """There is no project where one is needed; nothing is guessed."""

    code = "U218"


class CheckoutUrl(str):
    """A URL out of a checkout's `.env`: whoever connects gives it no secret of the machine."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Tenant:
    """How rows are isolated.

    Attributes:
        parameter: The query parameter that the session binds, without its colon.
        setting: The PostgreSQL setting that the policies read.
        role: The role that tenant calls run as.
    """

    parameter: str = "user_id"
    setting: str = "app.current_user_id"
    role: str = "todo_app"


@dataclass(frozen=True, slots=True)
class Lint:
    """What a project asks of `lint`: rules by code or name, also squawk's and sqlfluff's.

    Attributes:
        disable: Rules whose findings are left out.
        severity: Rules whose findings count for more or less.
        paths: The same for the files that a pattern names, such as ``migrations/2024*``.
        profile: Where the schema is to run, whose own rules count as well: ``citus``, or None.
    """

    disable: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    paths: Mapping[str, Lint] = field(default_factory=dict)
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A project's configuration, with every path absolute.

    Attributes:
        root: The folder of the project.
        migrations: Folder of migrations; the first, where there are several.
        queries: Folder of named queries.
        generate: Folder of the generated package, or None where nothing is generated.
        specs: Folder of the generated documents.
        seeds: Folder of development data.
        tenant: Isolation by tenant, or None for a project without tenants.
        types: Overrides of Python types by ``table.column``.
        enums: Whether an enum of PostgreSQL is a Literal in Python or a class of its own.
        postgres: Major version of the embedded server, 15 or newer.
        exempt: Tables that the tenant rules leave alone, such as the sign-in tables.
        ignore: Patterns of objects that `drift` leaves alone, such as ``table public.audit_*``.
        lint: Which findings of `lint` count, and for how much.
        packaged: Whether this is the Todo project that the wheel carries, which is read-only.
        environment: The environment with the URLs of `.env` below it.
        ledger: The schema of the ledger, or None: where there is one, else the path's first.
        more_migrations: Further folders of migrations, applied after the first.
        settings: Values from outside, by the name under which the SQL reads them.
        role: Who migrations run as, or None: who logs in.
    """

    root: Path
    migrations: Path
    queries: Path
    generate: Path | None
    specs: Path
    seeds: Path
    tenant: Tenant | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    enums: Literal["literal", "enum"] = "literal"
    postgres: int = 18
    exempt: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    lint: Lint = field(default_factory=Lint)
    packaged: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    ledger: str | None = None
    role: str | None = None
    more_migrations: tuple[Path, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def migration_folders(self) -> tuple[Path, ...]:
        """Every folder of migrations, in the order in which they are applied."""
        return (self.migrations, *self.more_migrations)

    @property
    def database_url(self) -> str | None:
        """``DATABASE_URL``, else where libpq's own variables lead, or None: the embedded server."""
        given = self.environment.get("DATABASE_URL")
        libpq = any(self.environment.get(name) for name in LIBPQ)
        return given or ("postgresql://" if libpq else None)

    @property
    def direct_url(self) -> str | None:
        """``TODO_SQL_DIRECT_URL`` (migrations), else ``DATABASE_URL``, or None."""
        return self.environment.get("TODO_SQL_DIRECT_URL") or self.database_url

    @property
    def replica_url(self) -> str | None:
        """``TODO_SQL_REPLICA_URL`` (reads), or None."""
        return self.environment.get("TODO_SQL_REPLICA_URL") or None

    @property
    def scratch_url(self) -> str | None:
        """``TODO_SQL_SCRATCH_URL``, or None: scratch databases live on the embedded server."""
        return self.environment.get("TODO_SQL_SCRATCH_URL") or None

    @property
    def replays_as_superuser(self) -> bool:
        """Whether migrations may run as a scratch server's superuser: ``TODO_SQL_REPLAY``.

        Raises:
            ConfigError: It has another value than ``owner`` and ``superuser``.
        """
        given = self.environment.get("TODO_SQL_REPLAY") or "owner"
        if given not in ("owner", "superuser"):
            raise ConfigError(
                f"TODO_SQL_REPLAY is {given!r}",
                code="U206",
                cause="it says who runs migrations on a scratch server",
                fix="set it to `superuser`, or unset it: an owner of the scratch database alone",
            )
        return given == "superuser"

    @property
    def state(self) -> Path:
        """The folder of the embedded server and of caches, ignored by git.

        That of the packaged project is the user's: what is installed is not written to.
        """
        if not self.packaged:
            return self.root / ".todo-sql"
        home = self.environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(home) / "todo-sql" / TODO

    @property
    def file(self) -> Path:
        """The file of the configuration, which may not be there."""
        own = self.root / FILE
        return own if own.is_file() else self.root / "pyproject.toml"


def load_config(
    project: Path | None = None,
    *,
    start: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Find and read the configuration.

    Args:
        project: Folder of the project; or ``todo``, the one that the wheel carries.
        start: Where the search for a project begins; default: the working directory.
        environment: Default: the process's.

    Raises:
        NoProject: No project in `project`, or above `start`.
        ConfigError: An unreadable file, an unknown or mistyped key.
    """
    environment = os.environ if environment is None else environment
    if project is not None:
        if str(project) == TODO:
            return packaged_config(environment)
        found = _in_folder(real_path(project), environment)
        if found is None:
            raise NoProject(
                f"there is no project in {real_path(project)}",
                cause=f"it has no pyproject.toml with [{SECTION}], no {FILE}, and no folder "
                "`migrations` with files of ours",
                fix="name the project's folder, or make a project with `todo-sql init DIR`",
            )
        return found
    begin = real_path(start or Path.cwd())
    for folder in (begin, *begin.parents):
        found = _in_folder(folder, environment)
        if found is not None:
            return found
    raise NoProject(
        f"there is no project in {begin} or above it",
        cause=f"a project has a pyproject.toml with [{SECTION}], a {FILE}, or a folder "
        "`migrations` with files such as 20260131120000_add_notes.sql",
        fix="run the command in a project, name one with `--project DIR` (`--project todo`: the "
        "Todo project that todo-sql carries), or make one with `todo-sql init DIR`",
    )


def _in_folder(root: Path, environment: Mapping[str, str]) -> Config | None:
    """Return the configuration of the project that a folder is, or None."""
    inside, own = root / "pyproject.toml", root / FILE
    section = _section(inside)
    if own.is_file():
        if section is not None:
            raise ConfigError(
                f"both {own} and [{SECTION}] in {inside} configure this project",
                fix="move all keys to one of them, and delete the other",
            )
        return _from_section(root, _document(own), str(own), environment)
    if section is not None:
        return _from_section(root, section, f"[{SECTION}] in {inside}", environment)
    if any(_MIGRATION.fullmatch(path.name) for path in (root / "migrations").rglob("*.sql")):
        return _from_section(root, {}, "", environment)
    return None


def config_of_migrations(folder: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Return the configuration for a folder of migrations that belongs to no project."""
    given = os.environ if environment is None else environment
    root = real_path(folder).parent
    return replace(_from_section(root, {}, "", given), migrations=real_path(folder))


def packaged_config(environment: Mapping[str, str] | None = None) -> Config:
    """Return the Todo project that the wheel carries."""
    return replace(
        _by_default(
            PACKAGED if PACKAGED.is_dir() else Path(__file__).parent.parent,
            dict(os.environ if environment is None else environment),
        ),
        tenant=Tenant(),
        exempt=TODO_EXEMPT,
        ignore=TODO_IGNORE,
        packaged=True,
    )


def _by_default(root: Path, environment: Mapping[str, str]) -> Config:
    """Return the configuration of a project whose file says nothing."""
    return Config(
        root=root,
        migrations=root / "migrations",
        queries=root / "queries",
        generate=None,
        specs=root / "specs" / "database",
        seeds=root / "seeds",
        environment=environment,
    )


# The maintenance function makes next months' partitions.
TODO_IGNORE = ("table public.audit_log_20*",)
TODO_EXEMPT = ("users", "sessions", "accounts", "verifications")


def _with_dotenv(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Put the URLs of `.env` below the environment, unless that names the database itself."""
    path = root / ".env"
    if "DATABASE_URL" in environment or not path.is_file():
        return dict(environment)
    from dotenv import dotenv_values

    found = dotenv_values(path, interpolate=False)  # `${TOKEN}` would hand out the caller's
    if not found.get("DATABASE_URL") and any(environment.get(name) for name in LIBPQ):
        return dict(environment)
    below = {name: CheckoutUrl(value) for name in _FROM_DOTENV if (value := found.get(name))}
    return {**below, **environment}


def _section(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    tool = _document(path).get("tool", {})
    section = tool.get("todo-sql") if isinstance(tool, dict) else None
    if section is not None and not isinstance(section, dict):
        raise ConfigError(f"[{SECTION}] in {path} is not a table", fix="correct the file")
    return section


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", fix="correct the file") from None


def _from_section(
    root: Path, section: dict[str, Any], where: str, environment: Mapping[str, str]
) -> Config:
    if not section:  # pydantic, which checks one, takes a tenth of a second to load
        return _by_default(root, _with_dotenv(root, environment))
    from todo_sql.config_section import read_section

    found = read_section(section, where)
    return Config(
        root=root,
        migrations=root / found.folders[0],
        queries=root / found.queries,
        generate=root / found.generate if found.generate else None,
        specs=root / found.specs,
        seeds=root / found.seeds,
        ledger=found.ledger,
        more_migrations=tuple(root / folder for folder in found.folders[1:]),
        settings={
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in found.settings.items()
        },
        role=found.role,
        tenant=Tenant(**found.tenant.model_dump()) if found.tenant else None,
        types=found.types,
        enums=found.enums,
        postgres=found.postgres,
        exempt=tuple(found.exempt),
        ignore=tuple(found.ignore),
        lint=Lint(
            tuple(found.lint.disable),
            found.lint.severity,
            {
                pattern: Lint(tuple(rules))
                if isinstance(rules, list)
                else Lint(tuple(rules.disable), rules.severity)
                for pattern, rules in found.lint.paths.items()
            },
            found.lint.profile,
        ),
        environment=_with_dotenv(root, environment),
    )
