"""One section of a query file, from its header to the next one, as a `NamedQuery`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from todo_sql.queries.clauses import Words
from todo_sql.queries.copy_target import copy_target
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
from todo_sql.queries.mistakes import Report, Where, did_you_mean, not_a_name
from todo_sql.queries.named import Cardinality, Case, NamedQuery
from todo_sql.queries.order import plan
from todo_sql.queries.query_errors import ShapeError
from todo_sql.queries.variants import Variant, cases_of, compose, count_variants
from todo_sql.sql.scanner import COMMENTS, Kind, Token

MOST_VARIANTS = 1024
_READS = ("select", "with", "values", "table")


def read_section(report: Report, header: Token, tokens: Sequence[Token]) -> NamedQuery | None:
    """Return the query of one section, or None when the report took a mistake.

    Args:
        header: The ``-- name:`` comment.
        tokens: Everything from there to the next header, comments included.
    """
    mistakes = len(report)
    text = report.source.text
    declaration = read_declaration(report, header)
    code = [token for token in tokens if token.kind not in COMMENTS]
    ends = (index for index, token in enumerate(code) if text[token.start : token.end] == ";")
    statement = code[: next(ends, None)]
    if not statement:
        what = f"query `{declaration.name}`" if declaration else "the query"
        report.add("Q107", f"{what} has no SQL", header, "write it below")
        return None
    surplus = [t for t in code[len(statement) :] if text[t.start : t.end] != ";"]
    if surplus:
        fix = "give the second one a `-- name:` of its own, or join them in a `with`"
        report.add("Q108", "two statements in one query", surplus[0], fix)
    first, last = statement[0].start, statement[-1].end
    directives, doc = _read_comments(report, tokens, first, last)
    symbol = Kind.SYMBOL
    body = [
        token
        for token in tokens
        if (token.kind is not symbol or text[token.start] != ";")
        and (token.start >= first or token.kind is not Kind.LINE_COMMENT or _binds(text, token))
    ]
    found = _Body(report, read_lines(report, body), directives)
    found.check_names(paged=declaration is not None and declaration.cardinality is Cardinality.PAGE)
    found.check_choices()
    choices = tuple(tuple(choice) for choice in directives.choices)
    listed = entries(text, found.lines, found.groups)
    sound = choices if len(report) == mistakes else ()
    count = count_variants(found.groups, found.cases, sound, listed)
    if count > MOST_VARIANTS:
        message = f"the query has {count:,} variants; at most {MOST_VARIANTS:,} can be checked"
        report.add("Q117", message, header, "split it into several queries")
    if declaration is None or len(report) > mistakes:
        return None
    query = NamedQuery(
        name=declaration.name,
        cardinality=declaration.cardinality,
        model=declaration.model,
        doc=doc,
        source=report.source,
        start=first,
        end=last,
        name_start=declaration.name_start,
        names=tuple(found.names),
        required=frozenset(found.required),
        segments=segments(text, found.lines),
        groups=found.groups,
        entries=listed,
        within=found.within(),
        choices=choices,
        cases=found.cases,
        parameters=directives.parameters,
        columns=directives.columns,
        models=directives.models,
        params_model=directives.params_model,
        params_fields=tuple(directives.params_fields),
        timeout=directives.timeout,
        tenant=directives.tenant,
        allow=directives.allow,
    )
    _check_shape(report, query)
    return query if len(report) == mistakes else None


def _binds(text: str, comment: Token) -> bool:
    """Tell whether a comment begins with ``if`` or ``case``, so that it binds to a line."""
    return LINE_DIRECTIVE.match(text, comment.start, comment.end) is not None


def _read_comments(
    report: Report, tokens: Iterable[Token], first: int, last: int
) -> tuple[QueryDirectives, str]:
    """Read the directives of a section, and its documentation above the SQL."""
    text = report.source.text
    directives = QueryDirectives()
    doc: list[str] = []
    comment = Kind.LINE_COMMENT
    for token in tokens:
        if token.kind is not comment or _binds(text, token):
            continue
        if HEADER.match(text, token.start, token.end) and token.start < last:
            report.add("Q101", "a header stands on a line of its own", token, "move it")
        elif not check_almost_header(report, token):
            word = directive_word(text, token)
            meant = word not in REMARKS and means_directive(text, token)
            if meant and token.start < last:
                read_directive(report, directives, token)
            elif token.start > last:
                check_stray(report, token)
            elif token.start < first and word not in REMARKS:
                doc.append(text[token.start : token.end].lstrip("-").strip())
    return directives, "\n".join(doc).strip()


_UNUSED = "is not a parameter of this query"
_ALWAYS = "is a `case` parameter, which is always given"


class _Body:
    """The parameters of a query: which there are, which are required, which belong together.

    Attributes:
        names: Every parameter with its first token.
        cases: The ``-- case`` parameters; the uncommented line of each is its default.
        required: Those that stand on a line without ``-- if``, or have a default.
        groups: The optional ones, in sets that are given together.
    """

    def __init__(self, report: Report, lines: list[Line], directives: QueryDirectives) -> None:
        self.report = report
        self.lines = lines
        self.directives = directives
        self.names: dict[str, Token] = {}
        used = [list(self._parameters(line)) for line in lines]
        self.cases = self._cases()
        self.required = {
            name
            for line, parameters in zip(lines, used, strict=True)
            if not line.condition.needs and not line.condition.around
            for name, _ in parameters
        }
        spans = {span: name for line in lines for name, span in line.condition.needs.items()}
        for span, name in spans.items():
            if name not in self.names:
                self._unknown(name, span, f"use `:{name}` in the query", _ALWAYS)
        self.groups = self._groups(used)

    def _parameters(self, line: Line) -> Iterator[tuple[str, Token]]:
        """Yield the parameters of a line, each with its token."""
        text = self.report.source.text
        parameter, positional = Kind.PARAMETER, Kind.POSITIONAL
        for token in line.tokens:
            if token.kind is parameter:
                name = text[token.start + 1 : token.end]
                self.names.setdefault(name, token)
                yield name, token
            elif token.kind is positional:
                message = f"`{text[token.start : token.end]}` is not a named parameter"
                self.report.add("Q113", message, token, "write `:name`")

    def _cases(self) -> dict[str, Case]:
        values: dict[str, dict[str, None]] = {}
        defaults: dict[str, str] = {}
        spans: dict[str, tuple[int, int]] = {}
        for line in self.lines:
            for name, (value, span) in line.condition.cases.items():
                spans.setdefault(name, span)
                values.setdefault(name, {})[value] = None
                if not line.commented and defaults.setdefault(name, value) != value:
                    message = f"`{name}` has two defaults, `{defaults[name]}` and `{value}`"
                    fix = "comment out the lines of all values but one"
                    self.report.add("Q116", message, span, fix)
        for name in values.keys() - defaults.keys():
            message = f"`{name}` has no default: every line of it is commented out"
            self.report.add("Q116", message, spans[name], "take the lines of one value in")
        place = self.report.source.place
        return {
            name: Case(name, tuple(values[name]), defaults[name], place(*spans[name]))
            for name in values
            if name in defaults
        }

    def _groups(self, used: list[list[tuple[str, Token]]]) -> tuple[frozenset[str], ...]:
        """Group the parameters that are given together; those with a default are required."""
        names, required, declared = self.names, self.required, self.directives.parameters
        groups: list[set[str]] = []
        for line, parameters in zip(self.lines, used, strict=True):
            needs, around = line.condition.needs, line.condition.around
            together = {name for name in needs if name in names and name not in required | around}
            known = needs.keys() <= names.keys() and around <= names.keys()
            for name, token in parameters:
                if not known or name in {*needs, *around, *required}:
                    continue
                if name in declared and declared[name].default:
                    required.add(name)
                    continue
                message = f"`:{name}` stands on an optional line that does not name it"
                fix = f"write `-- if: {', '.join([*needs, name])}`"
                self.report.add("Q115", message, token, fix)
            if together:
                for other in [group for group in groups if group & together]:
                    groups.remove(other)
                    together |= other
                groups.append(together)
        order = {name: index for index, name in enumerate(names)}
        left = [frozenset(group - required) for group in groups if group - required]
        return tuple(sorted(left, key=lambda group: min(order[name] for name in group)))

    def within(self) -> dict[str, frozenset[str]]:
        """Return the optional parameters that no line outside of others' brackets uses."""
        found: dict[str, frozenset[str]] = {}
        optional: frozenset[str] = frozenset().union(*self.groups)
        for line in self.lines:
            around = line.condition.around & optional
            for name in (optional & line.condition.needs.keys()) - around:
                found[name] = found.get(name, around) & around
        return {name: outer for name, outer in found.items() if outer}

    def _unknown(self, name: str, where: Where, otherwise: str, case: str) -> None:
        """Report, once for each place, what a directive names that is no parameter."""
        message = f"`{name}` {case if name in self.cases else _UNUSED}"
        self.report.add("Q114", message, where, did_you_mean(name, self.names, otherwise))

    def check_choices(self) -> None:
        """Report what a ``-- one of:`` names that cannot be one of several."""
        for choice in self.directives.choices:
            taken: dict[frozenset[str], str] = {}
            for name, place in choice.items():
                group = next((group for group in self.groups if name in group), None)
                if name not in self.names:
                    fix = f"use `:{name}` on a line with `-- if: {name}`"
                    self._unknown(name, place, fix, _ALWAYS)
                elif group is None:
                    message = f"`{name}` is always given, so it is no choice"
                    cause = "it stands on a line without `-- if:`, or has a default"
                    fix = f"put each line that uses it under `-- if: {name}`"
                    self.report.add("Q121", message, place, fix, cause)
                elif (other := taken.setdefault(group, name)) != name:
                    message = f"`{other}` and `{name}` are given together, so they are no choice"
                    fix = f"name one of the two: it stands for all of {', '.join(sorted(group))}"
                    self.report.add("Q121", message, place, fix, "they stand in one `-- if:`")

    def check_names(self, *, paged: bool) -> None:
        """Report parameters whose names cannot be, and directives of parameters that are none."""
        for name, token in self.names.items():
            reason = not_a_name(name)
            if reason is None and name == "cursor" and paged:
                reason = "is the argument by which a :page function takes its cursor"
            if reason is None and name in self.cases:
                reason = "is a `case` parameter, which picks lines and is not sent"
            if reason is not None:
                self.report.add("Q112", f"parameter `:{name}` {reason}", token, "rename it")
        known = {**self.names, **self.cases}
        for name, place in self.directives.params_fields.items():
            if name not in known:
                fix = did_you_mean(name, known, f"use `:{name}` in the query")
                self.report.add("Q114", f"`{name}` {_UNUSED}", place, fix)
        for name, directive in self.directives.parameters.items():
            if name not in self.names:
                fix = f"use `:{name}` in the query, or drop the directive"
                case = "is a `case` parameter: its default is the uncommented line"
                self._unknown(name, directive.place, fix, case)


def _check_shape(report: Report, query: NamedQuery) -> None:
    """Report where a query has not the form that its cardinality asks for."""
    check = _SHAPES.get(query.cardinality)
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
    if any(one.needs and one.pieces[-1].end > order for one in query.segments):
        message, end = "the order of a :page query cannot depend on an `if`", len("order by")
        raise ShapeError(message, parts.order, parts.order + end, "use a `case`")


def _check_stream(_: NamedQuery, variant: Variant) -> None:
    words = Words.of(variant.sql)
    if words.texts[0] not in _READS:
        raise words.wrong(0, "a :stream query is a select", "use :many")


_SHAPES: dict[Cardinality, Callable[[NamedQuery, Variant], object]] = {
    Cardinality.PAGE: _check_page,
    Cardinality.STREAM: _check_stream,
    Cardinality.COPYFROM: lambda _, variant: copy_target(variant),
}
