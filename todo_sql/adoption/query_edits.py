"""Other tools' query files, edited where they stand: what stays stays as it was. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from todo_sql.adoption.versions import unlike
from todo_sql.errors import Finding, Severity
from todo_sql.queries.header import HEADER, LINE_DIRECTIVE, means_directive
from todo_sql.queries.mistakes import not_a_name
from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, Token, is_subscript, scan
from todo_sql.sql.source import Source


@dataclass(frozen=True, slots=True)
class QueryHead:
    """What another tool's header says.

    Attributes:
        name: As it is called there.
        start: Where the header begins in the file.
        end: Where the SQL or its comments begin.
        cardinality: Ours, or None: it cannot come over.
        model: The name of its rows, or None.
        lines: Comments that go below our header: directives, documentation.
        reason: Why it cannot come over.
        fix: What to do then.
    """

    name: str
    start: int
    end: int
    cardinality: str | None
    model: str | None = None
    lines: tuple[str, ...] = ()
    reason: str = ""
    fix: str = ""


@dataclass
class EditedQuery:
    """One query: the tokens of its SQL, and what becomes of them.

    Attributes:
        source: The file.
        head: Its header.
        name: What it is called here.
        tokens: From below its header to the next one, comments included.
        stop: Where the next header begins.
        edits: Start, end and new text of what is replaced.
        parameters: The names that parameters have got, by what they stand for there.
        nullable: Those of them that take NULL.
        notes: What a person should know.
        findings: What is left to do by hand.
    """

    source: Source
    head: QueryHead
    name: str
    tokens: list[Token]
    stop: int
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    nullable: dict[str, None] = field(default_factory=dict)
    model: str | None = None
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def word(self, token: Token) -> str:
        """Return the text of a token."""
        return self.source.text[token.start : token.end]

    @property
    def code(self) -> list[Token]:
        """The tokens without comments."""
        return [one for one in self.tokens if one.kind not in COMMENTS]

    def replace(self, start: int, end: int, text: str) -> None:
        """Put a text in place of another."""
        self.edits.append((start, end, text))

    def parameter(self, key: str, wanted: str) -> str:
        """Return the name of a parameter, the same for the same key, unlike all others."""
        if key not in self.parameters:
            self.parameters[key] = unlike(python_name(wanted), set(self.parameters.values()))
        return self.parameters[key]

    def put(self, start: int, end: int, name: str) -> None:
        """Write a parameter; in a subscript, where a colon makes a slice, in brackets."""
        opened: list[bool] = []
        before = [token for token in self.code if token.start < start]
        for at, token in enumerate(before):
            word = self.word(token)
            if word in ("[", "("):
                opened.append(word == "[" and is_subscript(self.source.text, before[:at]))
            elif word in ("]", ")") and opened:
                opened.pop()
        self.replace(start, end, f"(:{name})" if opened and opened[-1] else f":{name}")

    def renamed(self, token: Token) -> None:
        """Give a parameter a name that it can have here, if its own cannot be."""
        word = self.word(token)
        name = self.parameter(word[1:], word[1:])
        if name != word[1:]:
            self.put(token.start, token.end, name)
            self.notes.append(f"{word} is :{name} here")

    def in_array(self, code: Sequence[Token], at: int, end: int, name: str) -> None:
        """Write ``in`` or ``not in``, at a token of the code, up to an end as an array."""
        negated = at > 0 and self.word(code[at - 1]).lower() == "not"
        start = code[at - 1 if negated else at].start
        self.replace(start, end, f"{'<> all' if negated else '= any'}(:{name})")

    def left(
        self, code: str, message: str, at: int, fix: str, severity: Severity = "warning"
    ) -> None:
        """Note what is left to do."""
        self.findings.append(Finding(code, severity, message, self.source.place(at), fix=fix))

    @property
    def text(self) -> str:
        """The query as it is here."""
        start, text = self.head.end, self.source.text
        if self.head.cardinality is None:
            return commented(text[self.head.start : self.stop])
        arrow = self.model or self.head.model
        lines = [
            f"-- name: {self.name} :{self.head.cardinality}" + (f" -> {arrow}" if arrow else "")
        ]
        lines += self.head.lines
        lines += [f"-- param: {name}?" for name in self.nullable]
        parts, at = [], start
        for begin, end, new in sorted(self.edits):
            parts += [text[at:begin], new]
            at = end
        body = "".join([*parts, text[at : self.stop]])
        return "\n".join(lines) + "\n" + body.lstrip("\n")


def queries_in(
    source: Source, heads: Sequence[QueryHead], called: Mapping[tuple[str, str], str]
) -> Iterator[EditedQuery]:
    """Yield the queries of a file, with the comments that read like directives made harmless.

    Args:
        source: The file.
        heads: Its headers in order.
        called: What queries are called here, by their file and their name there.
    """
    stops = [*(head.start for head in heads[1:]), len(source.text)]
    for head, stop in zip(heads, stops, strict=True):
        try:
            tokens = scan(source.text, head.end, stop)
        except ScanError as error:
            tokens = []
            fix = "correct it, and run this again"
            head = replace(head, cardinality=None, reason=error.message, fix=fix)
        query = EditedQuery(source, head, called[source.file, head.name], tokens, stop)
        for token in tokens:
            if token.kind is Kind.LINE_COMMENT and reads_as_ours(source.text, token):
                query.replace(token.start, token.start + 2, "-- #")
        if head.cardinality is None:
            query.left("A150", f"{head.name}: {head.reason}", head.start, head.fix, "error")
        yield query


def reads_as_ours(text: str, token: Token) -> bool:
    """Whether a comment would be taken for a directive."""
    return bool(
        HEADER.match(text, token.start, token.end)
        or LINE_DIRECTIVE.search(text, token.start, token.end)
        or means_directive(text, token)
    )


def snake_case(name: str) -> str:
    """Return a name in small letters, joined by underscores: GetURLByID is get_url_by_id."""
    name = re.sub(r"([A-Z]{2,})s(?![a-z])", lambda found: f"{found[1].title()}s", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"\W+", "_", name).strip("_").lower()


def python_name(name: str) -> str:
    """Return what a name is called in Python."""
    found = snake_case(name) or "value"
    found = found if not found[0].isdigit() else f"p{found}"
    return f"{found}_" if not_a_name(found) or found == "cursor" else found


def names_of(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return what each query is called here, unique over all of them.

    Args:
        keys: Pairs of the file and the query's name there.
    """
    found: dict[tuple[str, str], str] = {}
    for file, name in keys:
        taken = set(found.values())
        ours = python_name(name)
        if ours in taken:
            ours = unlike(python_name(f"{PurePosixPath(file).stem}_{name}"), taken)
        found[file, name] = ours
    return found


def commented(text: str) -> str:
    """Return a text as comments, none of which is a directive of ours."""
    return "".join(f"-- # {line}\n" for line in text.rstrip("\n").split("\n"))


def without_directives(text: str) -> str | None:
    """Return a text of comments none of which is a directive of ours; None: it holds SQL."""
    try:
        tokens = scan(text)
    except ScanError:
        return None
    if any(token.kind not in COMMENTS for token in tokens):
        return None
    for token in reversed(tokens):
        if token.kind is Kind.LINE_COMMENT and reads_as_ours(text, token):
            text = f"{text[: token.start]}-- #{text[token.start + 2 :]}"
    return text
