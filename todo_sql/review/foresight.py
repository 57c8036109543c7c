"""Whether live rows let a pending statement pass: read-only, bounded questions to the target.

What a statement demands of rows is seen on the copy, as a change of the catalog: a column
that may no longer be null, a constraint, a unique index, a partition, another type. Each
becomes a question for a row that does not fit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psycopg

from todo_sql.catalog.names import quoted
from todo_sql.catalog.read import ours, rows
from todo_sql.review.image import Image, Row
from todo_sql.review.linting.tree import shown
from todo_sql.review.locks import Trace, Tracer
from todo_sql.sql.trust import SAFE_LOCALLY

if TYPE_CHECKING:
    from psycopg import Connection

ENOUGH = 100
"""Rows that do not fit, after which no more are counted."""

LONGEST = 5.0
"""Seconds for one question."""

ALTOGETHER = 60.0
"""Seconds for all of them."""

_SETTINGS = {
    "transaction_read_only": "on",
    "row_security": "off",  # rather an error than rows that are not seen
    "statement_timeout": f"{LONGEST:g}s",
    "lock_timeout": "1s",
    "jit": "off",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the live rows.

    Attributes:
        demand: What the statement demands, such as ``a is not null``.
        text: A query for rows that do not fit; None: only a run of the migration tells.
        instead: Another, where the first does not suit the types.
        counted: What it counts, one and many.
        reason: Why there is no query.
    """

    demand: str
    text: str | None
    instead: str | None = None
    counted: tuple[str, str] = ("row", "rows")
    reason: str = "an earlier statement may change the rows"


@dataclass(frozen=True, slots=True)
class RowsAnswer:
    """What came of a question.

    Attributes:
        demand: What the statement demands.
        fails: Why live rows make it fail; None: they do not, or it is not known.
        unknown: Why it is not known.
    """

    demand: str
    fails: str | None = None
    unknown: str | None = None


class Foresight:
    """The live rows as the pending migrations would have them, statement by statement.

    Args:
        live: A connection to the target, in autocommit mode.
        tracer: Of the copy.
        silent: Why the target is not asked at all, or None.
    """

    def __init__(self, live: Connection[Any], tracer: Tracer, *, silent: str | None) -> None:
        self._live, self._tracer, self._silent = live, tracer, silent
        self._left = ALTOGETHER
        self._written: set[int] = set()
        shape = tracer.shape
        self._images = {
            oid: Image(_quoted(row), shape.columns.get(oid, {}))
            for oid, row in tracer.known.items()
            if row["kind"] in "rp"
        }
        self._under = {oid: set(parents) for oid, parents in shape.parents.items()}
        self._domains = set(shape.domains)
        self._fits: dict[int, Row | None] = {}

    def look(self, trace: Trace) -> list[RowsAnswer]:
        """Return what the live rows say to a statement that was just tried on the copy."""
        questions = list(self._questions(trace))
        self._written |= trace.written
        if trace.statement.kind == "create_table_as_stmt":
            self._written |= self._tracer.now.keys() - self._images.keys()
        for oid in trace.written & self._images.keys():
            self._images[oid].unsure = True
        return [self._ask(question) for question in questions]

    def _questions(self, trace: Trace) -> Iterator[Question]:
        change = trace.change
        for oid in change.before:
            if oid in self._images:
                yield from self._follow(oid, trace)
        asked = {(row["oid"], row["name"]) for row in change.not_null}
        for row in change.not_null:
            new = row["number"] not in change.before.get(row["oid"], {})
            if new and (row["identity"] or (row["default"] or "").startswith("nextval(")):
                continue  # each row gets a number
            if not self._told_above(row["oid"], row["name"], asked):
                name = quoted(row["name"])
                yield from self._question(row["oid"], f"{name} is not null", f"{name} is null")
        asked = {(row["table_oid"], row["name"]) for row in change.constraints}
        constraints = {row["oid"] for row in change.constraints}
        for row in change.constraints:
            above = self._tracer.shape.constraints.get(row["parent_oid"])
            if row["parent_oid"] in constraints or (
                above is not None and above["table_oid"] == row["table_oid"]
            ):
                continue  # asked of the parent; or a hidden twin for a referenced partition
            match row["form"]:
                case "c" if row["domain_oid"]:
                    yield from self._of_domain(row)
                case "c" if not self._told_above(row["table_oid"], row["name"], asked):
                    yield from self._question(
                        row["table_oid"],
                        f"constraint {row['name']} holds",
                        f"({row['expression']}) is false",
                    )
                case "f":
                    yield from self._reference(row)
                case _ if row["excludes"]:
                    yield from self._exclusion(row)
        indexes = {row["oid"] for row in change.indexes}
        for row in change.indexes:
            if not row["excludes"] and row["parent_oid"] not in indexes:
                yield from self._unique(row)
        for row in change.domains:
            for column in self._tracer.shape.of_domain(row["oid"]):
                name = quoted(column["name"])
                yield from self._question(
                    column["oid"], f"{name} is not null ({row['name']})", f"{name} is null"
                )
        for row in change.children:
            if row["partition"]:
                yield from self._partition(row)

    def _follow(self, oid: int, trace: Trace) -> Iterator[Question]:
        image = self._images[oid]
        changed = image.follow(
            self._bare(oid), trace.change, oid, trace.using, self._fit, self._type
        )
        for row in changed:
            name = quoted(row["name"])
            number = row["number"]
            domain = row["type_oid"] in self._tracer.shape.domains
            if number not in trace.change.before[oid] and not (domain or row["generated"]):
                continue
            above = {(up, row["name"]) for up in trace.change.before if up in self._images}
            if not self._told_above(oid, row["name"], above):
                # Whatever cannot be made of a value is an error of the question itself.
                unfit = f"pg_catalog.num_nulls({name}) < 0"
                yield from self._question(oid, f"{name} fits {row['type']}", unfit)
                yield from self._of_new_domain(row)

    def _question(
        self, oid: int, demand: str, unfit: str, *, only: bool = False
    ) -> Iterator[Question]:
        """Yield the question for rows of a live table that are unfit."""
        image = self._images.get(oid)
        if image is not None and oid in self._tracer.now:
            source = image.rows(self._bare(oid), only=only)
            text = f"select from {source} where {unfit} limit {ENOUGH}"
            yield Question(f"{self._said(oid)}: {demand}", None if image.unsure else text)

    def _reference(self, row: Row) -> Iterator[Question]:
        here, there = row["table_oid"], row["references_oid"]
        image, other = self._images.get(here), self._images.get(there)
        if image is None:
            return
        demand = f"constraint {row['name']} holds"
        if row["period"]:
            yield Question(demand, None, reason="periods are only compared when it runs")
            return
        columns = self._names(here, row["columns"])
        keys = self._names(there, row["references_columns"])
        filled = " and ".join(f"h.{name} is not null" for name in columns)
        found = " and ".join(
            f"t.{key} {operator} h.{name}"
            for name, key, operator in zip(columns, keys, row["operators"], strict=True)
        )
        missing = f"not exists (select from {other.rows('t')} where {found})" if other else "true"
        unfit = f"{filled} and {missing}"
        if row["match"] == "f":
            null = " or ".join(f"h.{name} is null" for name in columns)
            unfit = f"({unfit}) or (({null}) and not ({null.replace(' or ', ' and ')}))"
        only = self._tracer.now[here]["kind"] == "r"
        text = f"select from {image.rows('h', only=only)} where {unfit} limit {ENOUGH}"
        unsure = image.unsure or (other.unsure if other else there in self._written)
        yield Question(f"{self._said(here)}: {demand}", None if unsure else text)

    def _unique(self, row: Row) -> Iterator[Question]:
        oid = row["table_oid"]
        image = self._images.get(oid)
        if image is None or oid not in self._tracer.now:
            return
        keys = ", ".join(f"({key}) as k{number}" for number, key in enumerate(row["keys"]))
        tests = [f"({row['predicate']})"] if row["predicate"] else []
        if not row["nulls_equal"]:
            tests += [f"({key}) is not null" for key in row["keys"]]
        only = self._tracer.now[oid]["kind"] == "r"
        text = (
            f"select from (select {keys} from {image.rows(self._bare(oid), only=only)}"
            f"{' where ' + ' and '.join(tests) if tests else ''}) as r"
            f" group by {', '.join(f'k{number}' for number in range(len(row['keys'])))}"
            f" having pg_catalog.count(*) operator(pg_catalog.>) 1 limit {ENOUGH}"
        )
        demand = f"{self._said(oid)}: the values of {row['name']} are unique"
        counted = ("value that is there twice", "values that are there twice")
        yield Question(demand, None if image.unsure else text, counted=counted)

    def _exclusion(self, row: Row) -> Iterator[Question]:
        oid = row["table_oid"]
        image, index = self._images.get(oid), self._tracer.shape.indexes.get(row["index_oid"])
        if image is None or index is None:
            return
        columns = ", ".join(
            f"{key} as todo_sql_{number}" for number, key in enumerate(index["keys"])
        )
        test = f"where {index['predicate']}" if index["predicate"] else ""
        only = self._tracer.now[oid]["kind"] == "r"
        side = (
            f"(select todo_sql_table, todo_sql_row, {columns}"
            f" from {image.rows(self._bare(oid), only=only)} {test})"
        )
        clash = " and ".join(
            f"a.todo_sql_{number} {operator} b.todo_sql_{number}"
            for number, operator in enumerate(row["operators"])
        )
        text = (
            f"select from {side} as a inner join {side} as b on {clash}"
            " and (a.todo_sql_table, a.todo_sql_row) < (b.todo_sql_table, b.todo_sql_row)"
            f" limit {ENOUGH}"
        )
        quick = _neighbours(side, row["operators"])
        demand = f"{self._said(oid)}: constraint {row['name']} holds"
        counted = ("pair of rows", "pairs of rows")
        yield Question(demand, None if image.unsure else quick or text, text, counted)

    def _of_domain(self, constraint: Row) -> Iterator[Question]:
        for column in self._tracer.shape.of_domain(constraint["domain_oid"]):
            yield from self._satisfies(column, constraint)

    def _of_new_domain(self, column: Row) -> Iterator[Question]:
        """Yield what a domain demands of a column that the target does not know."""
        shape, kind = self._tracer.shape, column["type_oid"]
        while kind in shape.domains.keys() - self._domains:
            domain = shape.domains[kind]
            if domain["not_null"]:
                name = quoted(column["name"])
                demand = f"{name} is not null ({domain['name']})"
                yield from self._question(column["oid"], demand, f"{name} is null")
            for constraint in shape.constraints.values():
                if constraint["domain_oid"] == kind and constraint["form"] == "c":
                    yield from self._satisfies(column, constraint)
            kind = domain["base_oid"]

    def _satisfies(self, column: Row, constraint: Row) -> Iterator[Question]:
        """Yield whether the values of a column satisfy a constraint of its domain."""
        oid, image = column["oid"], self._images.get(column["oid"])
        if image is None or oid not in self._tracer.now:
            return
        kind, base = column["type_oid"], column["type"]
        while kind in self._tracer.shape.domains:
            kind, base = (self._tracer.shape.domains[kind][name] for name in ("base_oid", "base"))
        # In SQL the word VALUE is the name of a column.
        text = (
            f"select from (select {quoted(column['name'])}::{base} as value"
            f" from {image.rows(self._bare(oid))}) as d"
            f" where ({constraint['expression']}) is false limit {ENOUGH}"
        )
        demand = f"{self._said(oid)}: {column['name']} satisfies {constraint['name']}"
        yield Question(demand, None if image.unsure else text)

    def _partition(self, row: Row) -> Iterator[Question]:
        for oid in dict.fromkeys((row["oid"], row["default_oid"])):
            if oid not in self._images:
                continue
            if oid == row["oid"] and row["parent_oid"] in self._under.get(oid, ()):
                continue  # it was one, and is one again
            with ours(self._tracer.connection):
                rule = rows(self._tracer.connection, "partition_rule", oid=oid)[0]["rule"]
            parent = self._images.get(row["parent_oid"])
            number = f"'{row['parent_oid']}'::oid"
            if rule is None or (number in rule and parent is None):
                continue
            if parent is not None:
                rule = rule.replace(number, f"'{parent.name}'::regclass::oid")
            yield from self._question(oid, "its rows belong to the partition", f"({rule}) is false")

    def _told_above(self, oid: int, name: str, asked: set[tuple[int, str]]) -> bool:
        """Whether the same is asked of a parent, of which the live table is a child."""
        return any((parent, name) in asked for parent in self._under.get(oid, ()))

    def _bare(self, oid: int) -> str:
        return str(self._tracer.now[oid]["table"]) if oid in self._tracer.now else "t"

    def _said(self, oid: int) -> str:
        return shown(str(self._tracer.now[oid]["name"]))

    def _names(self, oid: int, numbers: Sequence[int]) -> list[str]:
        columns = self._tracer.shape.columns[oid]
        return [quoted(columns[number]["name"]) for number in numbers]

    def _type(self, column: Row) -> str:
        """Return a column's type; of a domain that the target does not know its base."""
        kind, name, domains = column["type_oid"], column["type"], self._tracer.shape.domains
        while kind in domains and kind not in self._domains:
            kind, name = domains[kind]["base_oid"], domains[kind]["base"]
        return str(name)

    def _fit(self, value: str, column: Row) -> str:
        """Return what an assignment makes of a value: a cast would cut off what is too long."""
        kind = column["type_oid"]
        if column["modifier"] < 0 or kind in self._tracer.shape.domains:
            return f"({value})::{self._type(column)}"
        if kind not in self._fits:
            found = rows(self._tracer.connection, "modifier_cast", type=kind)
            self._fits[kind] = found[0] if found else None
        cast = self._fits[kind]
        if cast is None:
            return f"({value})::{column['type']}"
        strict = ", false" if cast["arguments"] == 3 else ""
        return f"{cast['function']}(({value})::{cast['type']}, {column['modifier']}{strict})"

    def _ask(self, question: Question) -> RowsAnswer:
        if question.text is None:
            return RowsAnswer(question.demand, unknown=question.reason)
        if self._silent is not None:
            return RowsAnswer(question.demand, unknown=f"the target is not asked ({self._silent})")
        if self._left <= 0:
            return RowsAnswer(question.demand, unknown="all questions together took too long")
        began = time.monotonic()
        try:
            found = self._count(question.text)
        except psycopg.errors.UndefinedFunction as error:
            if question.instead in (None, question.text):
                return RowsAnswer(question.demand, unknown=_why(error))
            return self._ask(replace(question, text=question.instead))
        except psycopg.Error as error:
            if (error.sqlstate or "")[:2] in ("22", "23"):
                return RowsAnswer(question.demand, fails=_said(error))
            return RowsAnswer(question.demand, unknown=_why(error))
        finally:
            self._left -= time.monotonic() - began
        if not found:
            return RowsAnswer(question.demand)
        count = f"{ENOUGH} or more" if found == ENOUGH else str(found)
        return RowsAnswer(
            question.demand, fails=f"{count} {question.counted[found > 1]} of the target"
        )

    def _count(self, text: str) -> int:
        with self._live.transaction(force_rollback=True):
            self._live.execute(SAFE_LOCALLY)
            for name, value in _SETTINGS.items():
                self._live.execute(f"set local {name} = '{value}'".encode())
            return self._live.execute(text.encode()).rowcount


def _said(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip()


def _why(error: psycopg.Error) -> str:
    said = _said(error)
    match error.sqlstate:
        case "57014":
            return f"no answer within {LONGEST:g} s"
        case "55P03":
            return "the table is locked"
        case "42501" if "row-level security" in said:
            return f"row level security hides rows from this role: {said}"
        case "42703" | "42704" | "42883" | "42P01" | "3F000":
            return "it depends on values that are only made when it runs"
        case "25006":
            return "it would write"
    return said


def _quoted(row: Mapping[str, Any]) -> str:
    return f"{quoted(row['schema'])}.{quoted(row['table'])}"


def _neighbours(side: str, operators: Sequence[str]) -> str | None:
    """Return the question for ranges that overlap: sorted, an overlap shows in neighbours.

    None where the operators are others than equality and one overlap, the last. Of what is no
    range there is no range_merge with two arguments.
    """
    names = [operator.removeprefix("operator(pg_catalog.").rstrip(")") for operator in operators]
    if names != ["="] * (len(names) - 1) + ["&&"]:
        return None
    columns = [f"todo_sql_{number}" for number in range(len(names))]
    alike, last = ", ".join(columns[:-1]), columns[-1]
    window = f"({'partition by ' + alike if alike else ''} order by {last})"
    tests = " and ".join(f"{name} is not null" for name in columns)
    return (
        f"select from (select {last} operator(pg_catalog.&&) pg_catalog.lag({last}) over {window}"
        " as todo_sql_clash"
        f" from {side} as s where {tests} and not pg_catalog.isempty({last})"
        f" and pg_catalog.range_merge({last}, {last}) is not null) as a"
        f" where todo_sql_clash limit {ENOUGH}"
    )
