"""The comments of a query file: ``-- name:`` and the directives below it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from todo_sql.errors import Place
from todo_sql.queries.mistakes import Report, Where, did_you_mean, not_a_name
from todo_sql.queries.named import (
    Cardinality,
    ColumnDirective,
    NestedDirective,
    ParameterDirective,
)
from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, Token, scan
from todo_sql.sql.source import Source

HEADER = re.compile(r"--[ \t]*name[ \t]*:[ \t]*(?P<rest>.*)")
_ALMOST_HEADER = re.compile(r"-{2,}[ \t]*name\b.*[ \t]:[a-z]+\b", re.IGNORECASE)
LINE_DIRECTIVE = re.compile(r"--[ \t]*(?:if[ \t]*:|case[ \t]+[^\s:]+[ \t]*:)")
_DIRECTIVE = re.compile(
    r"--[ \t]*(?P<word>one of|[a-z][a-z-]*)[ \t]*:(?:[ \t]+(?P<value>.*\S))?[ \t]*\Z"
)
_AFTER_NAME = re.compile(r"\S+[ \t]+:")
_DECLARATION = re.compile(
    r"(?P<name>\S+)(?:[ \t]+:(?P<cardinality>\S*))?(?:[ \t]*->[ \t]*(?P<model>\S*))?"
    r"(?:[ \t]+--.*)?[ \t]*\Z"
)
_TIMEOUT = re.compile(r"(?P<number>\d+(?:\.\d+)?)[ \t]*(?P<unit>ms|s|min)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_PARAMS = re.compile(r"(?P<name>[^\s(]+)[ \t]*(?:\((?P<fields>[^()]*)\))?\Z")
_MODEL = re.compile(r"(?P<path>[^\s>]+?)[ \t]*->[ \t]*(?P<model>\S+)\Z")
_NULLS = re.compile(r"(?:\A|[ \t]+)(?P<no>not[ \t]+)?null\Z", re.IGNORECASE)

DIRECTIVES = ("param", "column", "model", "params", "one of", "timeout", "tenant", "allow")
LINE_DIRECTIVES = ("if", "case")
# Words with a colon that other tools and people write, and that are no directives of ours.
REMARKS = frozenset({"noqa", "fmt", "todo", "fixme", "xxx", "note", "see", "example", "sqlfluff"})


@dataclass(frozen=True)
class Declaration:
    """What a ``-- name:`` line says."""

    name: str
    name_start: int
    cardinality: Cardinality
    model: str | None


@dataclass
class QueryDirectives:
    """What the directives of one query say."""

    parameters: dict[str, ParameterDirective] = field(default_factory=dict)
    columns: dict[str, ColumnDirective] = field(default_factory=dict)
    models: dict[str, NestedDirective] = field(default_factory=dict)
    params_model: str | None = None
    params_fields: dict[str, Place] = field(default_factory=dict)
    choices: list[dict[str, Place]] = field(default_factory=list)
    timeout: float | None = None
    tenant: Literal["required", "none"] | None = None
    allow: dict[str, str] = field(default_factory=dict)


def read_declaration(report: Report, header: Token) -> Declaration | None:
    """Read a ``-- name: NAME :CARDINALITY [-> Model]`` comment, or report why it cannot be."""
    text, mistakes = report.source.text, len(report)
    head = HEADER.match(text, header.start, header.end)
    assert head is not None
    found = _DECLARATION.match(text, head.start("rest"), header.end)
    if found is None or found["cardinality"] is None:
        message = "the header has no cardinality"
        if found is None:
            message = f"the header {'cannot be read' if head['rest'].strip() else 'names no query'}"
        usage = "write `-- name: NAME :CARDINALITY`, such as `-- name: get_task :one -> Task`"
        report.add("Q101", message, header, usage)
        return None
    name, word, model = found["name"], found["cardinality"], found["model"]
    if reason := not_a_name(name):
        message = f"`{name}` {reason}, so no function can have that name"
        fix = "use letters, digits and underscores, such as `list_tasks`"
        report.add("Q105", message, found.span("name"), fix)
    if word not in tuple(Cardinality):
        known = [f":{value}" for value in Cardinality]
        fix = did_you_mean(f":{word}", known, f"use {', '.join(known)}")
        start, end = found.span("cardinality")
        report.add("Q104", f"unknown cardinality `:{word}`", (start - 1, end), fix)
        return None
    cardinality = Cardinality(word)
    if model is not None and (reason := not_a_name(model)):
        report.add("Q101", f"the model `{model}` {reason}", found.span("model"), "such as `Task`")
    elif model is not None and not cardinality.returns_rows:
        message = f"a :{cardinality} query returns no rows, so it has no model"
        fix = f"leave out `-> {model}`, or use another cardinality"
        report.add("Q118", message, found.span("model"), fix)
    if len(report) > mistakes:
        return None
    return Declaration(name, found.start("name"), cardinality, model)


def check_almost_header(report: Report, comment: Token) -> bool:
    """Report a comment that is meant as a header and is none; tell whether it is one."""
    if not _ALMOST_HEADER.match(report.source.text, comment.start, comment.end):
        return False
    fix = "write `-- name: NAME :CARDINALITY`"
    report.add("Q101", "this looks like a header, but is not one", comment, fix)
    return True


def check_stray(report: Report, comment: Token) -> None:
    """Report a directive that stands in no query's header."""
    word = directive_word(report.source.text, comment)
    if word in DIRECTIVES:
        fix = "put it between the `-- name:` of its query and the SQL"
        report.add("Q103", f"`{word}:` belongs to no query", comment, fix)


def directive_word(text: str, comment: Token) -> str | None:
    """Return the word before the colon if a comment looks like a directive."""
    found = _DIRECTIVE.match(text, comment.start, comment.end)
    return found["word"] if found else None


def means_directive(text: str, comment: Token) -> bool:
    """Tell whether a comment is a directive, or a typing mistake away from one."""
    found = _DIRECTIVE.match(text, comment.start, comment.end)
    return found is not None and _meant(found["word"], found["value"] or "") is not None


def _meant(word: str, value: str) -> str | None:
    """Return the directive that a word is a typing mistake away from, or None: it is a remark."""
    for known in (*DIRECTIVES, *LINE_DIRECTIVES, "name"):
        if known == "name" and not _AFTER_NAME.match(value):
            continue
        if word == known or (known != "case" and _one_slip(word, known)):
            return known
    return None


def _one_slip(word: str, known: str) -> bool:
    """Whether two words differ by two letters exchanged or, if not short, by one letter."""
    short, long = sorted((word, known), key=len)
    if len(short) == len(long):
        at = [index for index in range(len(word)) if word[index] != known[index]]
        swapped = len(at) == 2 and at[1] == at[0] + 1 and sorted(word) == sorted(known)
        return swapped or (len(at) == 1 and len(word) > 3)
    return len(short) > 3 and any(
        long[:index] + long[index + 1 :] == short for index in range(len(long))
    )


class _BadDirective(Exception):
    """A directive cannot be read: the code, what is wrong, where, and what to write (or None)."""


def read_directive(report: Report, into: QueryDirectives, comment: Token) -> None:
    """Read one directive comment into `into`, or report why it cannot be read."""
    found = _DIRECTIVE.match(report.source.text, comment.start, comment.end)
    assert found is not None
    word, value = found["word"], found["value"]
    if word not in DIRECTIVES:
        fix = f"did you mean `{_meant(word, value or '')}`?"
        cause = "a remark begins with a capital letter"
        report.add("Q103", f"unknown directive `{word}:`", found.span("word"), fix, cause)
        return
    try:
        if value is None:
            raise _bad(f"`{word}:` has no value", comment)
        _READERS[word](report.source, into, *found.span("value"))
    except _BadDirective as error:
        code, message, where, fix = error.args
        report.add(code, message, where, fix or _USAGE[word])


_USAGE = {
    "param": "write `-- param: NAME [TYPE][?] [= DEFAULT]`, such as `-- param: limit = 50`",
    "column": "write `-- column: NAME [TYPE] [not null|null]`, such as `-- column: total not null`",
    "model": "name the model of nested columns, such as `-- model: list -> TaskList`",
    "params": "name a pydantic model, such as `-- params: TaskCreate`, or one of some of the "
    "parameters, such as `-- params: TaskCreate (title, priority)`",
    "one of": "name the optional parameters of which one is given, such as "
    "`-- one of: id, public_id`",
    "timeout": "write a duration, such as `-- timeout: 2s`, `500ms` or `1min`",
    "tenant": "write `-- tenant: required` or `-- tenant: none`",
    "allow": "write `-- allow: CODE REASON`, such as `-- allow: C122 a table of ten rows`",
}


def _bad(message: str, where: Where, fix: str | None = None) -> _BadDirective:
    return _BadDirective("Q109", message, where, fix)


def _twice(what: str, where: Where) -> _BadDirective:
    return _BadDirective("Q110", f"{what} is declared twice", where, "keep one of the two")


def _words(source: Source, start: int, end: int, what: str, *kinds: Kind) -> list[Token]:
    """Return the tokens of a directive, which begins with the name of something."""
    try:
        tokens = [one for one in scan(source.text, start, end) if one.kind not in COMMENTS]
    except ScanError as error:
        raise _bad(error.message, (error.offset, end)) from None
    if not tokens or tokens[0].kind not in kinds:
        raise _bad(f"`{what}:` names no {'parameter' if what == 'param' else what}", (start, end))
    return tokens


def _read_param(source: Source, into: QueryDirectives, start: int, end: int) -> None:
    text = source.text
    first, *tokens = _words(source, start, end, "param", Kind.WORD)
    name, place = text[start : first.end], source.place(start, first.end)
    default = written = default_place = None
    equals = [i for i, token in enumerate(tokens) if text[token.start : token.end] == "="]
    if equals:
        literal = tokens[equals[0] + 1 :]
        if not literal:
            raise _bad(f"`{name}` has no value after `=`", (start, end))
        span = literal[0].start, literal[-1].end
        written = text[slice(*span)]
        default_place = source.place(*span)
        default = _python_literal(written)
        if default is None:
            fix = "use a number, 'text', true, false or null"
            raise _bad(f"the default `{written}` is not a constant", span, fix)
        tokens = tokens[: equals[0]]
    pg_type, nullable = "", None
    if tokens:
        pg_type, nullable = _type_and_null(text[tokens[0].start : tokens[-1].end])
    if default == "None":
        nullable = True
    if name in into.parameters:
        raise _twice(f"parameter `{name}`", place)
    into.parameters[name] = ParameterDirective(
        name, pg_type or None, nullable, default, place, written, default_place
    )


def _read_column(source: Source, into: QueryDirectives, start: int, end: int) -> None:
    text = source.text
    first, *tokens = _words(source, start, end, "column", Kind.WORD, Kind.QUOTED)
    name = text[first.start : first.end]
    if first.kind is Kind.QUOTED:
        name = name[1:-1].replace('""', '"')
    if not tokens:
        raise _bad(f"the directive says nothing about column `{name}`", (start, end))
    pg_type, nullable = _type_and_null(text[tokens[0].start : tokens[-1].end])
    if name in into.columns:
        raise _twice(f"column `{name}`", first)
    place = source.place(first.start, first.end)
    into.columns[name] = ColumnDirective(name, pg_type or None, nullable, place)


def _type_and_null(words: str) -> tuple[str, bool | None]:
    """Split ``text not null``, ``bigint?`` or ``timestamp with time zone`` in type and nullness."""
    if words.endswith("?"):
        return words[:-1].rstrip(), True
    found = _NULLS.search(words)
    if found is None:
        return words, None
    return words[: found.start()].rstrip(), found["no"] is None


def _python_literal(literal: str) -> str | None:
    """Return a SQL constant as Python source, or None if it is not one that we know."""
    word = literal.lower()
    if word in ("true", "false", "null"):
        return {"true": "True", "false": "False", "null": "None"}[word]
    if re.fullmatch(r"'(?:[^']|'')*'", literal):
        return repr(literal[1:-1].replace("''", "'"))
    if re.fullmatch(r"-?(?:0|[1-9][0-9]*(?:_[0-9]+)*)", literal):
        return literal
    if re.fullmatch(r"-?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=e))(?:e[-+]?[0-9]+)?", word):
        return repr(float(literal))
    return None


def _read_params(source: Source, into: QueryDirectives, start: int, end: int) -> None:
    found = _PARAMS.match(source.text, start, end)
    name = found["name"] if found else source.text[start:end]
    if reason := not_a_name(name):
        raise _bad(f"`{name}` {reason}", (start, end))
    if into.params_model is not None:
        raise _twice("the model of the parameters", (start, end))
    into.params_model = name
    if found is None or found["fields"] is None:
        return
    for one in re.compile(r"[^,\s]+").finditer(source.text, *found.span("fields")):
        if one[0] in into.params_fields:
            raise _twice(f"field `{one[0]}`", one.span())
        into.params_fields[one[0]] = source.place(*one.span())
    if not into.params_fields:
        raise _bad(f"`{name}` has no fields", (start, end))


def _read_model(source: Source, into: QueryDirectives, start: int, end: int) -> None:
    found = _MODEL.match(source.text, start, end)
    if found is None:
        raise _bad("the directive cannot be read", (start, end))
    path, model = found["path"], found["model"]
    if reason := not_a_name(model):
        raise _bad(f"`{model}` {reason}", found.span("model"))
    if path in into.models:
        raise _twice(f"the model of `{path}`", found.span("path"))
    into.models[path] = NestedDirective(model, source.place(*found.span("path")))


def _read_one_of(source: Source, into: QueryDirectives, start: int, end: int) -> None:
    choice: dict[str, Place] = {}
    for name, span in names_in(source.text, start, end):
        if reason := not_a_name(name):
            raise _bad(f"`{name}` {reason}", span)
        if name in choice or any(name in other for other in into.choices):
            raise _twice(f"the choice of `{name}`", span)
        choice[name] = source.place(*span)
    if len(choice) < 2:
        raise _bad("one parameter is no choice", (start, end))
    into.choices.append(choice)


def names_in(text: str, start: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the words between the commas of a stretch of text, each with its span."""
    for found in re.compile(r"[^,]+").finditer(text, start, end):
        word = found[0].strip()
        at = found.start() + found[0].index(word)
        yield word, (at, at + len(word))


def _read_timeout(source: Source, into: QueryDirectives, start: int, end: int) -> None:
    found = _TIMEOUT.match(source.text, start, end)
    seconds = float(found["number"]) * _SECONDS[found["unit"]] if found else 0.0
    if not seconds:
        raise _bad(f"`{source.text[start:end]}` is not a duration", (start, end))
    if into.timeout is not None:
        raise _twice("the timeout", (start, end))
    into.timeout = seconds


def _read_tenant(source: Source, into: QueryDirectives, start: int, end: int) -> None:
    word = source.text[start:end]
    if into.tenant is not None:
        raise _twice("the tenant", (start, end))
    if word == "required":
        into.tenant = "required"
    elif word == "none":
        into.tenant = "none"
    else:
        raise _bad(f"`tenant: {word}` is unknown", (start, end))


def _read_allow(source: Source, into: QueryDirectives, start: int, end: int) -> None:
    code, _, reason = source.text[start:end].partition(" ")
    if not reason.strip():
        raise _bad(f"`allow: {code}` gives no reason", (start, end))
    into.allow[code] = reason.strip()


_READERS = {
    "param": _read_param,
    "column": _read_column,
    "model": _read_model,
    "params": _read_params,
    "one of": _read_one_of,
    "timeout": _read_timeout,
    "tenant": _read_tenant,
    "allow": _read_allow,
}
