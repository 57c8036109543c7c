"""The one import of yoyo: its tables, its rows, its words.

A backend of yoyo that owns no connection: what yoyo would execute is recorded, and
travels in the flight of the migration that it belongs to. So yoyo decides what stands
in `_yoyo_migration` and `_yoyo_log`, and a plain yoyo reads them.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from yoyo import internalmigrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.internalmigrations import v2
from yoyo.migrations import default_migration_table, get_migration_hash

from todo_sql.wire.flight import FlightCommand

# Where no name in quotes holds it.
_PARAMETER = re.compile(r'"(?:[^"]|"")*"|(?<!:):(\w+)')


class Expression(str):
    """SQL that stands where a value would."""

    __slots__ = ()


class YoyoBackend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo is untyped
    """Turns yoyo's bookkeeping into commands, with its tables qualified by their schema."""

    migration_table = default_migration_table

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self._commands: list[FlightCommand] = []
        self._now = ""
        self._row: str | None = None

    def quote_identifier(self, name: str) -> str:
        """Return a quoted name; yoyo's tables get their schema."""
        quoted = str(super().quote_identifier(name))
        if name.startswith("_yoyo_"):
            return f"{super().quote_identifier(self.schema)}.{quoted}"
        return quoted

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """Record a command instead of running it."""
        values: list[str | None] = []

        def number(match: re.Match[str]) -> str:
            if match.group(1) is None:
                return match.group()
            value = (params or {})[match.group(1)]
            if isinstance(value, Expression):
                return value
            values.append(None if value is None else str(value))
            return f"${len(values)}"

        text = _PARAMETER.sub(number, sql) if params else sql
        self._commands.append(FlightCommand(text, tuple(values)))

    def ensure_internal_schema_updated(self) -> None:
        """Do nothing: the ledger sees to it."""

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """Return the row of `_yoyo_log`, without asking the network for our name."""
        return {
            "id": self._row or new_row(),
            "migration_id": migration.id,
            "migration_hash": migration.hash,
            "username": _user()[:255],
            "hostname": socket.gethostname()[:255],
            "created_at_utc": self._now,
            "operation": operation,
        }

    def create(self, now: str) -> list[FlightCommand]:
        """Return the commands that create yoyo's tables, marked with yoyo's version."""
        self._now = now
        v2.create_log_table(self)
        v2.create_version_table(self)
        v2.create_migration_table(self)
        self.execute(
            f"INSERT INTO {self.version_table_quoted} VALUES (:version, :when)",
            {"version": int(max(internalmigrations.schema_versions)), "when": now},
        )
        return self._take()

    def mark(
        self, migration: str, now: str, *, log: str = "apply", row: str | None = None
    ) -> list[FlightCommand]:
        """Return the commands that record a migration as applied.

        Args:
            now: When, in UTC.
            row: The id of the row in the log; default: a new one.
        """
        return self._recorded(self.mark_migration_sql, migration, now, log, row)

    def unmark(self, migration: str, now: str, *, log: str = "rollback") -> list[FlightCommand]:
        """Return the commands that record a migration as no longer applied."""
        return self._recorded(self.unmark_migration_sql, migration, now, log)

    def _recorded(
        self, sql: str, migration: str, now: str, log: str, row: str | None = None
    ) -> list[FlightCommand]:
        self._now, self._row = now, row
        marked = SimpleNamespace(id=migration, hash=hash_of(migration))
        self.execute(
            self.format_sql(sql),
            {"migration_hash": marked.hash, "migration_id": marked.id, "when": now},
        )
        self.log_migration(marked, log)
        return self._take()

    def _take(self) -> list[FlightCommand]:
        commands, self._commands = self._commands, []
        return commands


def new_row() -> str:
    """Return the id of a new row in the log."""
    return str(uuid.uuid1())


def hash_of(migration: str) -> str:
    """Return yoyo's key of a migration: a hash of its id."""
    return str(get_migration_hash(migration))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"
