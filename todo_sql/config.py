"""The configuration of a project: the nearest pyproject.toml, `.env`, the environment.

Flags override the environment, which overrides `.env`, which overrides
``[tool.todo-sql]``. Where no project is found, the packaged Todo project is used.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from todo_sql.errors import ConfigError

SECTION = "tool.todo-sql"
PACKAGED = Path(__file__).parent / "project"


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
class Config:
    """A project's configuration, with every path absolute.

    Attributes:
        root: The folder of the project; the working directory for the packaged one.
        migrations: Folder of migrations.
        queries: Folder of named queries.
        generate: Folder of the generated package, or None where nothing is generated.
        specs: Folder of the generated documents.
        seeds: Folder of development data.
        tenant: Isolation by tenant, or None for a project without tenants.
        types: Overrides of Python types by ``table.column``.
        postgres: Major version of the embedded server, 16 or 18.
        exempt: Tables that the tenant rules leave alone, such as the sign-in tables.
        ignore: Patterns of objects that `drift` leaves alone, such as ``table public.audit_*``.
        packaged: Whether this is the Todo project that the wheel carries.
        environment: The environment with `.env` below it.
    """

    root: Path
    migrations: Path
    queries: Path
    generate: Path | None
    specs: Path
    seeds: Path
    tenant: Tenant | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    postgres: int = 18
    exempt: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    packaged: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def database_url(self) -> str | None:
        """``DATABASE_URL``, or None: the embedded server."""
        return self.environment.get("DATABASE_URL") or None

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
    def state(self) -> Path:
        """The folder of the embedded server and of caches, ignored by git."""
        return self.root / ".todo-sql"


def load_config(
    project: Path | None = None,
    *,
    start: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Find and read the configuration.

    Args:
        project: Folder of the project; it must hold a ``[tool.todo-sql]`` section.
        start: Where the search for a project begins; default: the working directory.
        environment: Default: the process's.

    Raises:
        ConfigError: No project in `project`, an unreadable file, an unknown or mistyped key.
    """
    environment = os.environ if environment is None else environment
    if project is not None:
        root = project.resolve()
        section = _section(root / "pyproject.toml")
        if section is None:
            raise ConfigError(
                f"{root} has no pyproject.toml with [{SECTION}]",
                fix="name the project's folder, or make a project with `todo-sql init`",
            )
        return _from_section(root, section, environment)
    begin = (start or Path.cwd()).resolve()
    for folder in (begin, *begin.parents):
        section = _section(folder / "pyproject.toml")
        if section is not None:
            return _from_section(folder, section, environment)
    return packaged_config(begin, environment)


def packaged_config(root: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Return the Todo project that the wheel carries, with its state below `root`."""
    source = PACKAGED if PACKAGED.is_dir() else Path(__file__).parent.parent
    return Config(
        root=root,
        migrations=source / "migrations",
        queries=source / "queries",
        generate=None,
        specs=root / "specs" / "database",
        seeds=source / "seeds",
        tenant=Tenant(),
        exempt=TODO_EXEMPT,
        ignore=TODO_IGNORE,
        packaged=True,
        environment=_with_dotenv(root, os.environ if environment is None else environment),
    )


# The maintenance function makes next months' partitions.
TODO_IGNORE = ("table public.audit_log_20*",)
TODO_EXEMPT = ("users", "sessions", "accounts", "verifications")


def _with_dotenv(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    path = root / ".env"
    if not path.is_file():
        return dict(environment)
    from dotenv import dotenv_values

    below = {name: value for name, value in dotenv_values(path).items() if value is not None}
    return {**below, **environment}


def _section(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", fix="correct the file") from None
    section = document.get("tool", {}).get("todo-sql")
    if section is not None and not isinstance(section, dict):
        raise ConfigError(f"[{SECTION}] in {path} is not a table", fix="correct the file")
    return section


_PATHS = {
    "migrations": "migrations",
    "queries": "queries",
    "specs": "specs/database",
    "seeds": "seeds",
}


def _from_section(root: Path, section: dict[str, Any], environment: Mapping[str, str]) -> Config:
    where = f"[{SECTION}] in {root / 'pyproject.toml'}"
    known = {*_PATHS, "generate", "tenant", "types", "postgres", "exempt", "ignore"}
    for key in section:
        if key not in known:
            raise ConfigError(
                f"unknown key `{key}` under {where}", fix=f"use one of {', '.join(sorted(known))}"
            )
    for key in (*_PATHS, "generate"):
        if not isinstance(section.get(key, ""), str):
            raise ConfigError(f"`{key}` under {where} is not a path", fix="write it in quotes")
    generate = section.get("generate")
    postgres = section.get("postgres", 18)
    if postgres not in (16, 18):
        raise ConfigError(f"`postgres` under {where} is {postgres!r}", fix="use 16 or 18")
    types = section.get("types", {})
    if not isinstance(types, dict) or not all(isinstance(v, str) for v in types.values()):
        raise ConfigError(
            f"`types` under {where} is not a table of strings",
            fix='write it like "tasks.priority" = "my.module.Priority"',
        )
    exempt = section.get("exempt", [])
    if not isinstance(exempt, list) or not all(isinstance(name, str) for name in exempt):
        raise ConfigError(f"`exempt` under {where} is not a list of tables", fix="use strings")
    ignore = section.get("ignore", [])
    if not isinstance(ignore, list) or not all(isinstance(name, str) for name in ignore):
        raise ConfigError(f"`ignore` under {where} is not a list of patterns", fix="use strings")
    return Config(
        root=root,
        **{key: root / section.get(key, default) for key, default in _PATHS.items()},
        generate=root / generate if generate else None,
        tenant=_tenant(section.get("tenant"), where),
        types=types,
        postgres=postgres,
        exempt=tuple(exempt),
        ignore=tuple(ignore),
        environment=_with_dotenv(root, environment),
    )


def _tenant(value: Any, where: str) -> Tenant | None:
    if value is None:
        return None
    names = [entry.name for entry in fields(Tenant)]
    if (
        not isinstance(value, dict)
        or set(value) != set(names)
        or not all(isinstance(part, str) and part for part in value.values())
    ):
        raise ConfigError(
            f"`tenant` under {where} needs exactly {', '.join(names)}",
            fix='write tenant = { parameter = "user_id", setting = "app.current_user_id", '
            'role = "app" }',
        )
    return Tenant(**value)
