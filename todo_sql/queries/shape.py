"""The form of text that some cardinalities ask for. Pure."""

from __future__ import annotations

from collections.abc import Callable

from todo_sql.queries.clauses import Words
from todo_sql.queries.copy_target import copy_target
from todo_sql.queries.mistakes import Report
from todo_sql.queries.named import Cardinality, NamedQuery
from todo_sql.queries.order import plan
from todo_sql.queries.query_errors import ShapeError
from todo_sql.queries.variants import Variant, cases_of, compose

_READS = ("select", "with", "values", "table")


def check_shape(report: Report, query: NamedQuery) -> None:
    """Report where a query has not the form that its cardinality asks for."""
    check = _CHECKS.get(query.cardinality)
    if check is None:
        return
    if query.cardinality is Cardinality.COPYFROM and (query.groups or query.cases):
        message = "a :copyfrom query has one text only"
        report.add("Q119", message, query.place(), "leave out `if` and `case`")
        return
    for cases in cases_of(query):
        variant = compose(query, query.optional, cases)
        try:
            check(query, variant)
        except ShapeError as error:
            start = variant.source_offset(error.start)
            report.add("Q119", str(error), (start, start + error.end - error.start), error.fix)


def _check_page(query: NamedQuery, variant: Variant) -> None:
    """A cursor keeps its cases, but not which arguments were given."""
    parts = plan(variant)
    order = variant.source_offset(parts.order)
    for segment in query.segments:
        if segment.needs and segment.pieces[-1].end > order:
            raise ShapeError(
                "the order of a :page query cannot depend on an `if`",
                parts.order,
                parts.order + len("order by"),
                "use a `case`",
            )


def _check_stream(_: NamedQuery, variant: Variant) -> None:
    words = Words.of(variant.sql)
    if words.texts[0] not in _READS:
        raise words.wrong(0, "a :stream query is a select", "use :many")


_CHECKS: dict[Cardinality, Callable[[NamedQuery, Variant], object]] = {
    Cardinality.PAGE: _check_page,
    Cardinality.STREAM: _check_stream,
    Cardinality.COPYFROM: lambda _, variant: copy_target(variant),
}
