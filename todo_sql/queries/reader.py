"""One section of a query file, from its header to the next one, as a `NamedQuery`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType

from todo_sql.queries.entries import entries
from todo_sql.queries.header import (
    HEADER,
    LINE_DIRECTIVE,
    REMARKS,
    QueryDirectives,
    check_almost_header,
    check_stray,
    directive_word,
    means_directive,
    read_declaration,
    read_directive,
)
from todo_sql.queries.lines import Line, read_lines, segments
from todo_sql.queries.mistakes import Report, did_you_mean, not_a_name
from todo_sql.queries.named import Cardinality, Case, NamedQuery
from todo_sql.queries.shape import check_shape
from todo_sql.queries.variants import count_variants
from todo_sql.sql.scanner import COMMENTS, Kind, Token

MOST_VARIANTS = 1024


def read_section(report: Report, header: Token, tokens: Sequence[Token]) -> NamedQuery | None:
    """Return the query of one section, or None when the report took a mistake.

    Args:
        report: Takes the mistakes.
        header: The ``-- name:`` comment.
        tokens: Everything from there to the next header, comments included.
    """
    mistakes = len(report)
    text = report.source.text
    declaration = read_declaration(report, header.start, header.end)
    code = [token for token in tokens if token.kind not in COMMENTS]
    ends = (index for index, token in enumerate(code) if text[token.start : token.end] == ";")
    statement = code[: next(ends, None)]
    if not statement:
        what = f"query `{declaration.name}`" if declaration else "the query"
        report.add("Q107", f"{what} has no SQL", header.start, header.end, fix="write it below")
        return None
    surplus = [t for t in code[len(statement) :] if text[t.start : t.end] != ";"]
    if surplus:
        report.add(
            "Q108",
            "two statements in one query",
            surplus[0].start,
            surplus[0].end,
            fix="give the second one a `-- name:` of its own, or join them in a `with`",
        )
    first = statement[0].start
    directives, doc = _read_comments(report, tokens, first, statement[-1].end)
    symbol = Kind.SYMBOL
    body = [
        token
        for token in tokens
        if (token.kind is not symbol or text[token.start] != ";")
        and (token.start >= first or not _is_leading(text, token))
    ]
    lines = read_lines(report, body)
    names = _names(report, lines)
    cases = _cases(report, lines)
    required, groups = _required(report, lines, names, cases, directives)
    paged = declaration is not None and declaration.cardinality is Cardinality.PAGE
    _check_names(report, names, cases, directives, paged=paged)
    _check_choices(report, directives, names, cases, groups)
    choices = tuple(tuple(choice) for choice in directives.choices)
    listed = entries(text, lines, groups)
    count = count_variants(groups, cases, choices if len(report) == mistakes else (), listed)
    if count > MOST_VARIANTS:
        report.add(
            "Q117",
            f"the query has {count:,} variants; at most {MOST_VARIANTS:,} can be checked",
            header.start,
            header.end,
            fix="split it into several queries",
        )
    if declaration is None or len(report) > mistakes:
        return None
    query = NamedQuery(
        name=declaration.name,
        cardinality=declaration.cardinality,
        model=declaration.model,
        doc=doc,
        source=report.source,
        start=first,
        end=statement[-1].end,
        name_start=declaration.name_start,
        names=tuple(names),
        required=required,
        segments=segments(text, lines),
        groups=groups,
        entries=listed,
        within=MappingProxyType(_within(lines, groups)),
        choices=choices,
        cases=MappingProxyType(cases),
        parameters=MappingProxyType(directives.parameters),
        columns=MappingProxyType(directives.columns),
        models=MappingProxyType(directives.models),
        params_model=directives.params_model,
        params_fields=tuple(directives.params_fields),
        timeout=directives.timeout,
        tenant=directives.tenant,
        allow=MappingProxyType(directives.allow),
    )
    check_shape(report, query)
    return query if len(report) == mistakes else None


def _is_leading(text: str, token: Token) -> bool:
    """Tell whether a comment above the SQL binds to no line of it."""
    return (
        token.kind is Kind.LINE_COMMENT
        and LINE_DIRECTIVE.match(text, token.start, token.end) is None
    )


def _read_comments(
    report: Report, tokens: Iterable[Token], first: int, last: int
) -> tuple[QueryDirectives, str]:
    """Read the directives of a section, and its documentation above the SQL."""
    text = report.source.text
    directives = QueryDirectives()
    doc: list[str] = []
    comment = Kind.LINE_COMMENT
    for token in tokens:
        if token.kind is not comment:
            continue
        if LINE_DIRECTIVE.match(text, token.start, token.end):
            continue
        if HEADER.match(text, token.start, token.end) and token.start < last:
            report.add(
                "Q101",
                "a header stands on a line of its own",
                token.start,
                token.end,
                fix="move it",
            )
            continue
        if check_almost_header(report, token.start, token.end):
            continue
        word = directive_word(text, token.start, token.end)
        meant = word not in REMARKS and means_directive(text, token.start, token.end)
        if meant and token.start < last:
            read_directive(report, directives, token.start, token.end)
        elif token.start > last:
            check_stray(report, token.start, token.end)
        elif token.start < first and word not in REMARKS:
            doc.append(text[token.start : token.end].lstrip("-").strip())
    return directives, "\n".join(doc).strip()


def _names(report: Report, lines: Iterable[Line]) -> dict[str, Token]:
    """Return every parameter with its first token."""
    text = report.source.text
    names: dict[str, Token] = {}
    parameter, positional = Kind.PARAMETER, Kind.POSITIONAL
    for line in lines:
        for token in line.tokens:
            if token.kind is parameter:
                names.setdefault(text[token.start + 1 : token.end], token)
            elif token.kind is positional:
                report.add(
                    "Q113",
                    f"`{text[token.start : token.end]}` is not a named parameter",
                    token.start,
                    token.end,
                    fix="write `:name`",
                )
    return names


def _cases(report: Report, lines: Iterable[Line]) -> dict[str, Case]:
    """Return the ``-- case`` parameters; the uncommented line of each is its default."""
    values: dict[str, dict[str, None]] = {}
    defaults: dict[str, str] = {}
    spans: dict[str, tuple[int, int]] = {}
    for line in lines:
        for name, (value, start, end) in line.condition.cases.items():
            spans.setdefault(name, (start, end))
            values.setdefault(name, {})[value] = None
            if not line.commented and defaults.setdefault(name, value) != value:
                report.add(
                    "Q116",
                    f"`{name}` has two defaults, `{defaults[name]}` and `{value}`",
                    start,
                    end,
                    fix="comment out the lines of all values but one",
                )
    for name in values.keys() - defaults.keys():
        report.add(
            "Q116",
            f"`{name}` has no default: every line of it is commented out",
            *spans[name],
            fix="take the lines of one value in",
        )
    place = report.source.place
    return {
        name: Case(name, tuple(values[name]), defaults[name], place(*spans[name]))
        for name in values
        if name in defaults
    }


def _required(
    report: Report,
    lines: Sequence[Line],
    names: dict[str, Token],
    cases: dict[str, Case],
    directives: QueryDirectives,
) -> tuple[frozenset[str], tuple[frozenset[str], ...]]:
    """Tell required from optional parameters, and group those that are given together."""
    text = report.source.text
    parameter = Kind.PARAMETER
    used = [
        [(text[t.start + 1 : t.end], t) for t in line.tokens if t.kind is parameter]
        for line in lines
    ]
    required = {
        name
        for line, parameters in zip(lines, used, strict=True)
        if not line.condition.needs and not line.condition.around
        for name, _ in parameters
    }
    _report_unknown(report, lines, names, cases)
    groups: list[set[str]] = []
    for line, parameters in zip(lines, used, strict=True):
        needs, around = line.condition.needs, line.condition.around
        together = {name for name in needs if name in names and name not in required | around}
        known = needs.keys() <= names.keys() and around <= names.keys()
        for name, token in parameters:
            if not known or name in {*needs, *around, *required}:
                continue
            if name in directives.parameters and directives.parameters[name].default:
                required.add(name)
                continue
            report.add(
                "Q115",
                f"`:{name}` stands on an optional line that does not name it",
                token.start,
                token.end,
                fix=f"write `-- if: {', '.join([*needs, name])}`",
            )
        if together:
            for other in [group for group in groups if group & together]:
                groups.remove(other)
                together |= other
            groups.append(together)
    order = {name: index for index, name in enumerate(names)}
    groups = [group - required for group in groups]
    ordered = sorted((g for g in groups if g), key=lambda g: min(order[name] for name in g))
    return frozenset(required), tuple(frozenset(group) for group in ordered)


def _report_unknown(
    report: Report, lines: Sequence[Line], names: dict[str, Token], cases: dict[str, Case]
) -> None:
    """Report, once for each place, what an ``-- if:`` names that is no parameter."""
    spans = {span: name for line in lines for name, span in line.condition.needs.items()}
    for span, name in spans.items():
        if name in names:
            continue
        unused = "is not a parameter of this query"
        if name in cases:
            unused = "is a `case` parameter, which is always given"
        fix = did_you_mean(name, names, f"use `:{name}` in the query")
        report.add("Q114", f"`{name}` {unused}", *span, fix=fix)


def _within(lines: Sequence[Line], groups: Sequence[frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return the optional parameters that no line outside of others' brackets uses."""
    found: dict[str, frozenset[str]] = {}
    optional: frozenset[str] = frozenset().union(*groups)
    for line in lines:
        around = line.condition.around & optional
        for name in (optional & line.condition.needs.keys()) - around:
            found[name] = found.get(name, around) & around
    return {name: outer for name, outer in found.items() if outer}


def _check_choices(
    report: Report,
    directives: QueryDirectives,
    names: dict[str, Token],
    cases: dict[str, Case],
    groups: Sequence[frozenset[str]],
) -> None:
    """Report what a ``-- one of:`` names that cannot be one of several."""
    for choice in directives.choices:
        taken: dict[frozenset[str], str] = {}
        for name, place in choice.items():
            group = next((group for group in groups if name in group), None)
            if name not in names:
                fix = did_you_mean(name, names, f"use `:{name}` on a line with `-- if: {name}`")
                unused = "is not a parameter of this query"
                if name in cases:
                    unused = "is a `case` parameter, which is always given"
                report.add_at("Q114", f"`{name}` {unused}", place, fix=fix)
            elif group is None:
                report.add_at(
                    "Q121",
                    f"`{name}` is always given, so it is no choice",
                    place,
                    cause="it stands on a line without `-- if:`, or has a default",
                    fix=f"put each line that uses it under `-- if: {name}`",
                )
            elif taken.setdefault(group, name) != name:
                report.add_at(
                    "Q121",
                    f"`{taken[group]}` and `{name}` are given together, so they are no choice",
                    place,
                    cause="they stand in one `-- if:`",
                    fix=f"name one of the two: it stands for all of {', '.join(sorted(group))}",
                )


def _check_names(
    report: Report,
    names: dict[str, Token],
    cases: dict[str, Case],
    directives: QueryDirectives,
    *,
    paged: bool,
) -> None:
    for name, token in names.items():
        reason = not_a_name(name)
        if reason is None and name == "cursor" and paged:
            reason = "is the argument by which a :page function takes its cursor"
        if reason is None and name in cases:
            reason = "is a `case` parameter, which picks lines and is not sent"
        if reason is not None:
            report.add(
                "Q112", f"parameter `:{name}` {reason}", token.start, token.end, fix="rename it"
            )
    for name, place in directives.params_fields.items():
        if name not in names and name not in cases:
            report.add_at(
                "Q114",
                f"`{name}` is not a parameter of this query",
                place,
                fix=did_you_mean(name, [*names, *cases], f"use `:{name}` in the query"),
            )
    for name, directive in directives.parameters.items():
        if name not in names:
            unused = "is not a parameter of this query"
            if name in cases:
                unused = "is a `case` parameter: its default is the uncommented line"
            report.add_at(
                "Q114",
                f"`{name}` {unused}",
                directive.place,
                fix=did_you_mean(name, names, f"use `:{name}` in the query, or drop the directive"),
            )
