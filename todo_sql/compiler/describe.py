"""Find out the types of named queries: every variant prepared, none executed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from todo_sql.compiler import models, prepare, schema
from todo_sql.compiler.checked import Checked
from todo_sql.compiler.defaults import Defaults
from todo_sql.compiler.described import Described
from todo_sql.compiler.infer import Inference, directives
from todo_sql.compiler.prepare import PreparedQuery
from todo_sql.compiler.schema import Schema
from todo_sql.compiler.workers import share_out
from todo_sql.config import Config
from todo_sql.deep import deeply
from todo_sql.errors import Finding, FindingsError
from todo_sql.queries.keyset import page_variants
from todo_sql.queries.named import Cardinality, NamedQuery
from todo_sql.queries.variants import Variant, count_variants, variants

UNDEFINED_PARAMETER = ("42P18", "42P08")


@dataclass(frozen=True)
class Analysis:
    """The queries that could be described, and what is wrong with the other ones."""

    described: tuple[Described, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """The findings of severity error."""
        return [finding for finding in self.findings if finding.severity == "error"]


@dataclass(frozen=True)
class Examined:
    """One query by itself: what it is, or None where that can't be told, and what is wrong."""

    query: NamedQuery
    described: Described | None
    findings: tuple[Finding, ...]


def gather(examined: Iterable[Examined]) -> Analysis:
    """Put queries together: those that share a model agree."""
    examined = list(examined)
    findings = [finding for one in examined for finding in one.findings]
    described, disagreements = models.agree(
        one.described for one in examined if one.described is not None
    )
    return Analysis(tuple(described), (*findings, *disagreements))


Rule = Callable[[Checked, "Compiler"], Iterable[Finding]]


def describe(
    connection: Connection[Any], queries: Mapping[str, NamedQuery], config: Config
) -> list[Described]:
    """Return the types of every query, in the order given; executes nothing.

    Raises:
        FindingsError: Carries what is wrong with each.
    """
    analysis = Compiler(connection, config).analyse(queries.values())
    if analysis.errors:
        plural = "s" if len(analysis.errors) > 1 else ""
        message = f"{len(analysis.errors)} problem{plural} in the named queries"
        raise FindingsError(message, analysis.errors)
    return list(analysis.described)


class Compiler:
    """Describes queries on one connection, whose schema is read once.

    Args:
        connection: To a migrated database, in autocommit mode.
    """

    def __init__(self, connection: Connection[Any], config: Config) -> None:
        self.connection = connection
        info = connection.info
        self._target = make_conninfo(**info.get_parameters(), password=info.password)
        self.config = config
        self.schema: Schema = schema.read(connection)
        self._named_types: dict[str, int | None] = {}
        self._inference = Inference(self.schema, config, self._named_types)
        prepare.configure(connection)

    def analyse(self, queries: Iterable[NamedQuery], rules: Sequence[Rule] = ()) -> Analysis:
        """Describe queries; what is wrong with one doesn't stop the next.

        Args:
            queries: In the order in which they are to be reported.
            rules: Further checks of each query that PostgreSQL accepts.
        """
        return gather(self.examine(queries, rules))

    def examine(self, queries: Iterable[NamedQuery], rules: Sequence[Rule] = ()) -> list[Examined]:
        """Describe queries, each by itself, in their order."""
        queries = list(queries)
        self._look_up_types(queries)
        counts = [
            count_variants(one.groups, one.cases, one.choices, one.entries) for one in queries
        ]

        def here(part: Sequence[NamedQuery]) -> list[Examined]:
            return self._examine(part, rules)

        def there(part: Sequence[NamedQuery]) -> list[Examined]:
            other = copy(self)
            with psycopg.connect(self._target, autocommit=True) as other.connection:
                prepare.configure(other.connection)
                return other._examine(part, rules)

        with _without_collecting():
            try:
                return share_out(queries, counts, here, there)
            except RecursionError:  # an expression of hundreds of levels
                return deeply(lambda: there(queries))

    def _examine(self, queries: Sequence[NamedQuery], rules: Sequence[Rule]) -> list[Examined]:
        findings: dict[NamedQuery, list[Finding]] = {}
        known: dict[NamedQuery, Described | None] = {}
        for query, answer in self._prepare(queries):  # one at a time: trees are large
            refusals = () if isinstance(answer, Checked) else answer
            found = findings[query] = self._inference.wrong_types(query) or list(refusals)
            if not found and isinstance(answer, Checked):
                known[query] = self._inference.describe(answer, found)
                news = dict.fromkeys(finding for rule in rules for finding in rule(answer, self))
                found += [finding for finding in news if finding.code not in query.allow]
        defaults = Defaults(self.connection)
        described = {
            query: defaults.typed(one, findings[query]) for query, one in known.items() if one
        }
        self._check_pages(described.values(), findings)
        return [Examined(one, described.get(one), tuple(found)) for one, found in findings.items()]

    def _check_pages(
        self, described: Iterable[Described], findings: Mapping[NamedQuery, list[Finding]]
    ) -> None:
        """Prepare the texts that pages are read with."""
        pages = [
            (entry.query, variant)
            for entry in described
            if entry.query.cardinality is Cardinality.PAGE
            for variant in page_variants(entry.query, entry.not_null)
        ]
        for (query, variant), answer in zip(pages, self._answers(pages), strict=True):
            if isinstance(answer, psycopg.Error):
                finding = refused(query, variant, answer)
                if finding not in findings[query]:
                    findings[query].append(finding)

    def _prepare(
        self, queries: Sequence[NamedQuery]
    ) -> Iterator[tuple[NamedQuery, Checked | tuple[Finding, ...]]]:
        """Prepare every variant of every query; yield what is wrong with those that are refused."""
        pairs = [(query, tuple(variants(query))) for query in queries]
        flat = [(query, variant) for query, texts in pairs for variant in texts]
        answers = self._answers(flat)
        for query, texts in pairs:
            refusals: dict[Finding, None] = {}
            checked = Checked.of(query, _accepted(query, texts, answers, refusals))
            yield query, tuple(refusals) if refusals else checked
        assert next(answers, None) is None  # the connection is free again

    def _answers(
        self, pairs: Iterable[tuple[NamedQuery, Variant]]
    ) -> Iterator[PreparedQuery | psycopg.Error]:
        def declared(query: NamedQuery, name: str) -> int:
            directive = query.parameters.get(name)
            return self._named_types.get((directive and directive.pg_type) or "") or 0

        statements = [
            (variant.sql, [declared(query, name) for name in variant.parameters])
            for query, variant in pairs
        ]
        return prepare.prepare_all(self.connection, statements)

    def _look_up_types(self, queries: Sequence[NamedQuery]) -> None:
        names = {
            directive.pg_type
            for query in queries
            for directive in directives(query)
            if directive.pg_type and directive.pg_type not in self._named_types
        }
        if names:
            rows = self.connection.execute(
                "select name, pg_catalog.to_regtype(name)::pg_catalog.oid::pg_catalog.int8"
                " from pg_catalog.unnest(%s::pg_catalog.text[]) as name",
                [sorted(names)],
            )
            self._named_types.update(dict(rows.fetchall()))


def _accepted(
    query: NamedQuery,
    texts: Iterable[Variant],
    answers: Iterator[PreparedQuery | psycopg.Error],
    refusals: dict[Finding, None],
) -> Iterator[tuple[Variant, PreparedQuery]]:
    """Yield the variants that PostgreSQL accepts; note what is wrong with the other ones."""
    for variant in texts:
        answer = next(answers)
        if isinstance(answer, psycopg.Error):
            refusals[refused(query, variant, answer)] = None
        else:
            yield variant, answer


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Leave garbage until the end: thousands of trees live on, and would be gone through often."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def refused(query: NamedQuery, variant: Variant, answer: psycopg.Error) -> Finding:
    """Return the finding for a variant that PostgreSQL rejects."""
    said, text = answer.diag, query.source.text
    offset = query.start
    if said.statement_position:
        offset = variant.source_offset(int(said.statement_position) - 1)
    end = offset
    while end < len(text) and (text[end].isalnum() or text[end] in "_:$."):
        end += 1
    cause = f"PostgreSQL {said.sqlstate} in query `{query.name}`"
    if said.message_detail:
        cause += f": {said.message_detail}"
    fix = said.message_hint or "correct the query, or the migrations that it relies on"
    if said.sqlstate in UNDEFINED_PARAMETER:
        fix = "cast its first use, as in :name::text, or declare it: -- param: name text"
    if text[offset - 1 : offset] == ":" and text[offset - 2 : offset - 1] != ":":
        fix = "in a subscript the colon is the slice's: write [(:name)] for a parameter"
    place = query.source.place(offset, end)
    return Finding("C101", "error", said.message_primary or "", place, cause, fix)
