"""What a rule of our own is, and what it is given to look at."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from todo_sql.config import Tenant
from todo_sql.errors import Severity
from todo_sql.migrations.files.batched import BatchedStatement, NotBatched, batched
from todo_sql.migrations.files.rerun import is_session_setting
from todo_sql.review.linting.replay import build
from todo_sql.review.linting.reviewed import File, Kind, Spot
from todo_sql.review.linting.schema_model import Policy, SchemaModel, Table
from todo_sql.sql.grammar import Statement


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in a file's text that is certain to correct a hit."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that breaks a rule.

    Attributes:
        words: They fill the rule's message, cause and fix.
        rewritable: Whether `todo-sql rewrite` has a recipe for it, where it is a migration.
    """

    spot: Spot
    words: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    rewritable: bool = False


Hits = Iterator[Hit]


@dataclass(frozen=True)
class Project:
    """The files under review, with the schema that they make.

    Attributes:
        files: In the order of application.
        tenant: How rows are isolated, or None.
        exempt: Tables that the tenant rules leave alone.
    """

    files: tuple[File, ...]
    tenant: Tenant | None = None
    exempt: tuple[str, ...] = ()

    @cached_property
    def schema(self) -> SchemaModel:
        """The schema after the last migration."""
        return build(file for file in self.files if file.kind == "migration")

    def tenant_tables(self) -> Iterator[Table]:
        """Yield the tables that hold tenants' rows, without partitions and exempt ones."""
        for table in self.schema.tables.values():
            if self.has_tenant(table) and table.partition_of is None:
                yield table

    def has_tenant(self, table: Table) -> bool:
        """Return whether a table carries the tenant's column and is not exempt."""
        if self.tenant is None or self.tenant.parameter not in table.columns:
            return False
        return not self.is_exempt(table)

    def is_exempt(self, table: Table) -> bool:
        """Return whether the configuration takes a table out of the tenant rules."""
        return bool({table.name, table.name.split(".", 1)[1]} & set(self.exempt))

    def policies(self) -> Iterator[tuple[Table, Policy]]:
        """Yield every policy with its table."""
        for table in self.schema.tables.values():
            for policy in table.policies.values():
                yield table, policy

    def statements(self, *kinds: Kind) -> Iterator[tuple[File, Statement]]:
        """Yield the statements of files of some kinds, by default of migrations."""
        for file in self.files:
            if file.kind in (kinds or ("migration",)):
                for statement in file.statements:
                    yield file, statement

    def commands(self, statement_kind: str, *kinds: Kind) -> Iterator[tuple[Spot, Any]]:
        """Yield the statements of one kind, by default of migrations: place and node."""
        for file, statement in self.statements(*kinds):
            if statement.kind == statement_kind:
                yield file.spot(statement), getattr(statement.node, statement_kind)

    def batches(self) -> Iterator[tuple[File, Statement, BatchedStatement]]:
        """Yield the statements that run in batches; that one cannot is an error of its own."""
        for file, statement in self.statements("migration", "rollback"):
            batch = file.directives.batch
            if batch is not None and not is_session_setting(statement):
                with suppress(NotBatched):
                    yield file, statement, batched(statement, batch)

    def changes(self, *kinds: Kind) -> Iterator[tuple[Spot, Any, Any]]:
        """Yield the changes of each ALTER TABLE: place, node of the statement, node."""
        for spot, command in self.commands("alter_table_stmt", *kinds):
            for node in command.cmds:
                yield spot, command, node.alter_table_cmd


@dataclass(frozen=True)
class Rule:
    """One rule: what it finds, why that matters, and an example each way.

    Attributes:
        code: Such as ``R101``.
        name: What a waiver may say instead of the code.
        message: What is wrong; `cause`: why it matters; `fix`: what to write.
        bad: SQL that breaks the rule, and this rule alone says so in its test.
        good: The same, corrected.
        check: Finds the hits.
        profile: The only profile of `[tool.todo-sql.lint]` in which it counts, or None: always.
    """

    code: str
    name: str
    severity: Severity
    message: str
    cause: str
    fix: str
    bad: str
    good: str
    check: Callable[[Project], Hits]
    profile: str | None = None

    def counts(self, profile: str | None) -> bool:
        """Return whether a project of this profile asks for it."""
        return self.profile in (None, profile)


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return the rules of ``review/rules/``, one per file, by code."""
    from todo_sql.review.linting import rules

    modules = (
        importlib.import_module(f"{rules.__name__}.{info.name}")
        for info in pkgutil.iter_modules(rules.__path__)
    )
    return tuple(sorted((module.RULE for module in modules), key=lambda rule: rule.code))
