"""Whether live rows let a pending statement pass: read-only, bounded questions to the target.

What a statement demands of rows is seen on the copy, as a change of the catalog: a column
that may no longer be null, a constraint, a unique index, a partition, another type. Each
becomes a question for a row that does not fit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from todo_sql.catalog.names import quoted
from todo_sql.catalog.read import ours, rows
from todo_sql.review.image import Image, Row
from todo_sql.review.linting.tree import shown
from todo_sql.review.locks import Trace, Tracer
from todo_sql.sql.trust import SAFE_LOCALLY

ENOUGH = 100  # rows that do not fit, after which no more are counted
LONGEST = 5.0  # seconds for one question
ALTOGETHER = 60.0  # seconds for all of them

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

    The target, a connection in autocommit mode, is not asked where `silent` says why.
    """

    def __init__(self, live: Connection[Any], tracer: Tracer, *, silent: str | None) -> None:
        self._live, self._tracer, self._silent = live, tracer, silent
        self._left = ALTOGETHER
        self._written: set[int] = set()
        shape = tracer.shape
        self._images = {
            oid: Image(row, shape.columns.get(oid, {}), self._fit, self._type)
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
                yield from self._not_null(row)
        asked = {(row["table_oid"], row["name"]) for row in change.constraints}
        constraints = {row["oid"] for row in change.constraints}
        for row in change.constraints:
            above = self._tracer.shape.constraints.get(row["parent_oid"], {})
            if row["parent_oid"] in constraints or above.get("table_oid") == row["table_oid"]:
                continue  # asked of the parent; or a hidden twin for a referenced partition
            live = self._is_live(row["table_oid"])
            match row["form"]:
                case "c" if row["domain_oid"]:
                    for column in self._tracer.shape.of_domain(row["domain_oid"]):
                        yield from self._satisfies(column, row)
                case "c" if not self._told_above(row["table_oid"], row["name"], asked):
                    demand, unfit = f"constraint {row['name']} holds", f"({row['expression']})"
                    yield from self._question(row["table_oid"], demand, f"{unfit} is false")
                case "f" if live:
                    yield from self._reference(row)
                case _ if row["excludes"] and live:
                    yield from self._exclusion(row)
        indexes = {row["oid"] for row in change.indexes}
        for row in change.indexes:
            asked_above = row["parent_oid"] in indexes
            if self._is_live(row["table_oid"]) and not row["excludes"] and not asked_above:
                yield from self._unique(row)
        for row in change.domains:
            for column in self._tracer.shape.of_domain(row["oid"]):
                yield from self._not_null(column, row)
        for row in change.children:
            if row["partition"]:
                yield from self._partition(row)

    def _follow(self, oid: int, trace: Trace) -> Iterator[Question]:
        change, now = trace.change, self._tracer.now
        alias = str(now[oid]["table"]) if oid in now else "t"
        for row in self._images[oid].follow(alias, change, oid, trace.using):
            name = quoted(row["name"])
            domain = row["type_oid"] in self._tracer.shape.domains
            if row["number"] not in change.before[oid] and not (domain or row["generated"]):
                continue
            above = {(up, row["name"]) for up in change.before if up in self._images}
            if not self._told_above(oid, row["name"], above):
                # Whatever cannot be made of a value is an error of the question itself.
                unfit = f"pg_catalog.num_nulls({name}) < 0"
                yield from self._question(oid, f"{name} fits {row['type']}", unfit)
                yield from self._of_new_domain(row)

    def _question(self, oid: int, demand: str, unfit: str) -> Iterator[Question]:
        """Yield the question for rows of a live table that are unfit."""
        if self._is_live(oid):
            yield self._asked(oid, demand, f"select from {self._rows(oid)} where {unfit}")

    def _not_null(self, column: Row, domain: Row | None = None) -> Iterator[Question]:
        name, of = quoted(column["name"]), f" ({domain['name']})" if domain else ""
        yield from self._question(column["oid"], f"{name} is not null{of}", f"{name} is null")

    def _is_live(self, oid: int) -> bool:
        """Whether a table is there on the target, and still will be."""
        return oid in self._images and oid in self._tracer.now

    def _rows(self, oid: int, alias: str | None = None, *, own: bool = False) -> str:
        """Return the rows of a live table as an item of FROM; `own`: a parent's with its parts."""
        now = self._tracer.now[oid]
        return self._images[oid].rows(alias or now["table"], only=own and now["kind"] == "r")

    def _asked(
        self,
        oid: int,
        demand: str,
        text: str,
        instead: str | None = None,
        counted: tuple[str, str] = ("row", "rows"),
        *,
        unsure: bool = False,
    ) -> Question:
        """Return a question about a live table; without its texts where they may not be true."""
        said = f"{shown(str(self._tracer.now[oid]['name']))}: {demand}"
        if unsure or self._images[oid].unsure:
            return Question(said, None)
        instead = instead and f"{instead} limit {ENOUGH}"
        return Question(said, f"{text} limit {ENOUGH}", instead, counted)

    def _reference(self, row: Row) -> Iterator[Question]:
        here, there = row["table_oid"], row["references_oid"]
        other = self._images.get(there)
        demand = f"constraint {row['name']} holds"
        if row["period"]:
            yield Question(demand, None, reason="periods are only compared when it runs")
            return
        columns = self._names(here, row["columns"])
        keys = self._names(there, row["references_columns"])
        filled = " and ".join(f"h.{name} is not null" for name in columns)
        compared = zip(columns, keys, row["operators"], strict=True)
        found = " and ".join(f"t.{key} {operator} h.{name}" for name, key, operator in compared)
        missing = f"not exists (select from {other.rows('t')} where {found})" if other else "true"
        unfit = f"{filled} and {missing}"
        if row["match"] == "f":
            null = " or ".join(f"h.{name} is null" for name in columns)
            unfit = f"({unfit}) or (({null}) and not ({null.replace(' or ', ' and ')}))"
        text = f"select from {self._rows(here, 'h', own=True)} where {unfit}"
        unsure = other.unsure if other else there in self._written
        yield self._asked(here, demand, text, unsure=unsure)

    def _unique(self, row: Row) -> Iterator[Question]:
        oid = row["table_oid"]
        keys = ", ".join(f"({key}) as k{number}" for number, key in enumerate(row["keys"]))
        tests = [f"({row['predicate']})"] if row["predicate"] else []
        if not row["nulls_equal"]:
            tests += [f"({key}) is not null" for key in row["keys"]]
        text = (
            f"select from (select {keys} from {self._rows(oid, own=True)}"
            f"{' where ' + ' and '.join(tests) if tests else ''}) as r"
            f" group by {', '.join(f'k{number}' for number in range(len(row['keys'])))}"
            " having pg_catalog.count(*) operator(pg_catalog.>) 1"
        )
        counted = ("value that is there twice", "values that are there twice")
        yield self._asked(oid, f"the values of {row['name']} are unique", text, counted=counted)

    def _exclusion(self, row: Row) -> Iterator[Question]:
        oid, index = row["table_oid"], self._tracer.shape.indexes.get(row["index_oid"])
        if index is None:
            return
        keys = ", ".join(f"{key} as todo_sql_{number}" for number, key in enumerate(index["keys"]))
        test = f"where {index['predicate']}" if index["predicate"] else ""
        source = f"{self._rows(oid, own=True)} {test}"
        side = f"(select todo_sql_table, todo_sql_row, {keys} from {source})"
        clash = " and ".join(
            f"a.todo_sql_{number} {operator} b.todo_sql_{number}"
            for number, operator in enumerate(row["operators"])
        )
        text = (
            f"select from {side} as a inner join {side} as b on {clash}"
            " and (a.todo_sql_table, a.todo_sql_row) < (b.todo_sql_table, b.todo_sql_row)"
        )
        quick = _neighbours(side, row["operators"])
        counted = ("pair of rows", "pairs of rows")
        yield self._asked(oid, f"constraint {row['name']} holds", quick or text, text, counted)

    def _of_new_domain(self, column: Row) -> Iterator[Question]:
        """Yield what a domain demands of a column that the target does not know."""
        shape, kind = self._tracer.shape, column["type_oid"]
        while kind in shape.domains.keys() - self._domains:
            domain = shape.domains[kind]
            if domain["not_null"]:
                yield from self._not_null(column, domain)
            for constraint in shape.constraints.values():
                if constraint["domain_oid"] == kind and constraint["form"] == "c":
                    yield from self._satisfies(column, constraint)
            kind = domain["base_oid"]

    def _satisfies(self, column: Row, constraint: Row) -> Iterator[Question]:
        """Yield whether the values of a column satisfy a constraint of its domain."""
        if self._is_live(column["oid"]):
            # In SQL the word VALUE is the name of a column.
            value = f"{quoted(column['name'])}::{self._type(column, bare=True)} as value"
            source = f"(select {value} from {self._rows(column['oid'])}) as d"
            text = f"select from {source} where ({constraint['expression']}) is false"
            demand = f"{column['name']} satisfies {constraint['name']}"
            yield self._asked(column["oid"], demand, text)

    def _partition(self, row: Row) -> Iterator[Question]:
        parent, number = self._images.get(row["parent_oid"]), f"'{row['parent_oid']}'::oid"
        for oid in dict.fromkeys((row["oid"], row["default_oid"])):
            if oid not in self._images:
                continue
            if oid == row["oid"] and row["parent_oid"] in self._under.get(oid, ()):
                continue  # it was one, and is one again
            with ours(self._tracer.connection):
                rule = rows(self._tracer.connection, "partition_rule", oid=oid)[0]["rule"]
            if rule is None or (number in rule and parent is None):
                continue
            if parent is not None:
                rule = rule.replace(number, f"'{parent.name}'::regclass::oid")
            yield from self._question(oid, "its rows belong to the partition", f"({rule}) is false")

    def _told_above(self, oid: int, name: str, asked: set[tuple[int, str]]) -> bool:
        """Whether the same is asked of a parent, of which the live table is a child."""
        return any((parent, name) in asked for parent in self._under.get(oid, ()))

    def _names(self, oid: int, numbers: Sequence[int]) -> list[str]:
        return [quoted(self._tracer.shape.columns[oid][number]["name"]) for number in numbers]

    def _type(self, column: Row, *, bare: bool = False) -> str:
        """Return a column's type; of a domain unknown to the target, or of any, its base."""
        kind, name, domains = column["type_oid"], column["type"], self._tracer.shape.domains
        while kind in domains and (bare or kind not in self._domains):
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
        answer = partial(RowsAnswer, question.demand)
        if question.text is None:
            return answer(unknown=question.reason)
        if self._silent is not None:
            return answer(unknown=f"the target is not asked ({self._silent})")
        if self._left <= 0:
            return answer(unknown="all questions together took too long")
        began = time.monotonic()
        try:
            found = self._count(question.text)
        except psycopg.Error as error:
            if (error.sqlstate or "")[:2] in ("22", "23"):
                return answer(fails=_said(error))
            undefined = isinstance(error, psycopg.errors.UndefinedFunction)
            if undefined and question.instead not in (None, question.text):
                return self._ask(replace(question, text=question.instead))
            return answer(unknown=_why(error))
        finally:
            self._left -= time.monotonic() - began
        if not found:
            return answer()
        count = f"{ENOUGH} or more" if found == ENOUGH else str(found)
        return answer(fails=f"{count} {question.counted[found > 1]} of the target")

    def _count(self, text: str) -> int:
        with self._live.transaction(force_rollback=True):
            self._live.execute(SAFE_LOCALLY)
            for name, value in _SETTINGS.items():
                self._live.execute(f"set local {name} = '{value}'".encode())
            return self._live.execute(text.encode()).rowcount


def _said(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip()


_UNKNOWN = {
    "57014": f"no answer within {LONGEST:g} s",
    "55P03": "the table is locked",
    "25006": "it would write",
    **dict.fromkeys(
        ("42703", "42704", "42883", "42P01", "3F000"),
        "it depends on values that are only made when it runs",
    ),
}


def _why(error: psycopg.Error) -> str:
    said = _said(error)
    if error.sqlstate == "42501" and "row-level security" in said:
        return f"row level security hides rows from this role: {said}"
    return _UNKNOWN.get(error.sqlstate or "", said)


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
        f" and pg_catalog.range_merge({last}, {last}) is not null) as a where todo_sql_clash"
    )
