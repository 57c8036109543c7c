"""The comments of a query file: ``-- name:`` and the directives below it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from todo_sql.errors import Place
from todo_sql.queries.mistakes import Report, did_you_mean, not_a_name
from todo_sql.queries.named import (
    Cardinality,
    ColumnDirective,
    NestedDirective,
    ParameterDirective,
)
from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, scan

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


def read_declaration(report: Report, start: int, end: int) -> Declaration | None:
    """Read a ``-- name: NAME :CARDINALITY [-> Model]`` comment, or report why it cannot be."""
    header = HEADER.match(report.source.text, start, end)
    assert header is not None
    usage = "write `-- name: NAME :CARDINALITY`, such as `-- name: get_task :one -> Task`"
    found = _DECLARATION.match(report.source.text, header.start("rest"), end)
    if found is None or found["cardinality"] is None:
        message = "the header names no query" if found is None else "the header has no cardinality"
        if found is None and header["rest"].strip():
            message = "the header cannot be read"
        report.add("Q101", message, start, end, fix=usage)
        return None
    name, word, model = found["name"], found["cardinality"], found["model"]
    sound = True
    if reason := not_a_name(name):
        report.add(
            "Q105",
            f"`{name}` {reason}, so no function can have that name",
            *found.span("name"),
            fix="use letters, digits and underscores, such as `list_tasks`",
        )
        sound = False
    if word not in tuple(Cardinality):
        known = ", ".join(f":{value}" for value in Cardinality)
        report.add(
            "Q104",
            f"unknown cardinality `:{word}`",
            found.start("cardinality") - 1,
            found.end("cardinality"),
            fix=did_you_mean(f":{word}", (f":{value}" for value in Cardinality), f"use {known}"),
        )
        return None
    cardinality = Cardinality(word)
    if model is not None:
        if reason := not_a_name(model):
            report.add(
                "Q101", f"the model `{model}` {reason}", *found.span("model"), fix="such as `Task`"
            )
            sound = False
        elif not cardinality.returns_rows:
            report.add(
                "Q118",
                f"a :{cardinality} query returns no rows, so it has no model",
                *found.span("model"),
                fix=f"leave out `-> {model}`, or use another cardinality",
            )
            sound = False
    return Declaration(name, found.start("name"), cardinality, model) if sound else None


def check_almost_header(report: Report, start: int, end: int) -> bool:
    """Report a comment that is meant as a header and is none; tell whether it is one."""
    if not _ALMOST_HEADER.match(report.source.text, start, end):
        return False
    report.add(
        "Q101",
        "this looks like a header, but is not one",
        start,
        end,
        fix="write `-- name: NAME :CARDINALITY`",
    )
    return True


def check_stray(report: Report, start: int, end: int) -> None:
    """Report a directive that stands in no query's header."""
    word = directive_word(report.source.text, start, end)
    if word in DIRECTIVES:
        report.add(
            "Q103",
            f"`{word}:` belongs to no query",
            start,
            end,
            fix="put it between the `-- name:` of its query and the SQL",
        )


def directive_word(text: str, start: int, end: int) -> str | None:
    """Return the word before the colon if a comment looks like a directive."""
    found = _DIRECTIVE.match(text, start, end)
    return found["word"] if found else None


def means_directive(text: str, start: int, end: int) -> bool:
    """Tell whether a comment is a directive, or a typing mistake away from one."""
    found = _DIRECTIVE.match(text, start, end)
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


def read_directive(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    """Read one directive comment into `into`, or report why it cannot be read."""
    found = _DIRECTIVE.match(report.source.text, start, end)
    assert found is not None
    word, value = found["word"], found["value"]
    if word not in DIRECTIVES:
        report.add(
            "Q103",
            f"unknown directive `{word}:`",
            *found.span("word"),
            cause="a remark begins with a capital letter",
            fix=f"did you mean `{_meant(word, value or '')}`?",
        )
        return
    if value is None:
        report.add("Q109", f"`{word}:` has no value", start, end, fix=_USAGE[word])
        return
    _READERS[word](report, into, *found.span("value"))


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


def _bad(report: Report, word: str, message: str, start: int, end: int) -> None:
    report.add("Q109", message, start, end, fix=_USAGE[word])


def _twice(report: Report, what: str, start: int, end: int) -> None:
    report.add("Q110", f"{what} is declared twice", start, end, fix="keep one of the two")


def _read_param(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    text = report.source.text
    try:
        tokens = [token for token in scan(text, start, end) if token.kind not in COMMENTS]
    except ScanError as error:
        return _bad(report, "param", error.message, error.offset, end)
    name = text[start : tokens[0].end] if tokens else ""
    if not tokens or tokens[0].kind is not Kind.WORD:
        return _bad(report, "param", "`param:` names no parameter", start, end)
    equals = [i for i, token in enumerate(tokens) if text[token.start : token.end] == "="]
    default = written = default_place = None
    if equals:
        literal = tokens[equals[0] + 1 :]
        if not literal:
            return _bad(report, "param", f"`{name}` has no value after `=`", start, end)
        written = text[literal[0].start : literal[-1].end]
        default_place = report.source.place(literal[0].start, literal[-1].end)
        default = _python_literal(written)
        if default is None:
            report.add(
                "Q109",
                f"the default `{written}` is not a constant",
                literal[0].start,
                literal[-1].end,
                fix="use a number, 'text', true, false or null",
            )
            return None
        tokens = tokens[: equals[0]]
    pg_type, nullable = "", None
    if len(tokens) > 1:
        pg_type, nullable = _type_and_null(text[tokens[1].start : tokens[-1].end])
    if default == "None":
        nullable = True
    place = report.source.place(start, start + len(name))
    if name in into.parameters:
        return _twice(report, f"parameter `{name}`", start, start + len(name))
    into.parameters[name] = ParameterDirective(
        name, pg_type or None, nullable, default, place, written, default_place
    )
    return None


def _read_column(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    text = report.source.text
    try:
        tokens = [token for token in scan(text, start, end) if token.kind not in COMMENTS]
    except ScanError as error:
        return _bad(report, "column", error.message, error.offset, end)
    if not tokens or tokens[0].kind not in (Kind.WORD, Kind.QUOTED):
        return _bad(report, "column", "`column:` names no column", start, end)
    first = tokens[0]
    name = text[first.start : first.end]
    if first.kind is Kind.QUOTED:
        name = name[1:-1].replace('""', '"')
    if len(tokens) == 1:
        return _bad(
            report, "column", f"the directive says nothing about column `{name}`", start, end
        )
    pg_type, nullable = _type_and_null(text[tokens[1].start : tokens[-1].end])
    if name in into.columns:
        return _twice(report, f"column `{name}`", first.start, first.end)
    place = report.source.place(first.start, first.end)
    into.columns[name] = ColumnDirective(name, pg_type or None, nullable, place)
    return None


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


def _read_params(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    text = report.source.text
    found = _PARAMS.match(text, start, end)
    name = found["name"] if found else text[start:end]
    if reason := not_a_name(name):
        return _bad(report, "params", f"`{name}` {reason}", start, end)
    if into.params_model is not None:
        return _twice(report, "the model of the parameters", start, end)
    into.params_model = name
    if found is None or found["fields"] is None:
        return None
    for one in re.finditer(r"[^,\s]+", found["fields"]):
        begin = found.start("fields") + one.start()
        stop = begin + len(one[0])
        if one[0] in into.params_fields:
            return _twice(report, f"field `{one[0]}`", begin, stop)
        into.params_fields[one[0]] = report.source.place(begin, stop)
    if not into.params_fields:
        return _bad(report, "params", f"`{name}` has no fields", start, end)
    return None


def _read_model(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    found = _MODEL.match(report.source.text, start, end)
    if found is None:
        return _bad(report, "model", "the directive cannot be read", start, end)
    path, model = found["path"], found["model"]
    if reason := not_a_name(model):
        return _bad(report, "model", f"`{model}` {reason}", *found.span("model"))
    if path in into.models:
        return _twice(report, f"the model of `{path}`", *found.span("path"))
    into.models[path] = NestedDirective(model, report.source.place(*found.span("path")))
    return None


def _read_one_of(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    choice: dict[str, Place] = {}
    for one in re.compile(r"[^,]+").finditer(report.source.text, start, end):
        name = one[0].strip()
        begin = one.start() + one[0].index(name)
        if reason := not_a_name(name):
            return _bad(report, "one of", f"`{name}` {reason}", begin, begin + len(name))
        if name in choice or any(name in other for other in into.choices):
            return _twice(report, f"the choice of `{name}`", begin, begin + len(name))
        choice[name] = report.source.place(begin, begin + len(name))
    if len(choice) < 2:
        return _bad(report, "one of", "one parameter is no choice", start, end)
    into.choices.append(choice)
    return None


def _read_timeout(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    found = _TIMEOUT.match(report.source.text, start, end)
    seconds = float(found["number"]) * _SECONDS[found["unit"]] if found else 0.0
    if not seconds:
        what = report.source.text[start:end]
        return _bad(report, "timeout", f"`{what}` is not a duration", start, end)
    if into.timeout is not None:
        return _twice(report, "the timeout", start, end)
    into.timeout = seconds
    return None


def _read_tenant(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    word = report.source.text[start:end]
    if into.tenant is not None:
        return _twice(report, "the tenant", start, end)
    if word == "required":
        into.tenant = "required"
    elif word == "none":
        into.tenant = "none"
    else:
        return _bad(report, "tenant", f"`tenant: {word}` is unknown", start, end)
    return None


def _read_allow(report: Report, into: QueryDirectives, start: int, end: int) -> None:
    code, _, reason = report.source.text[start:end].partition(" ")
    if not reason.strip():
        return _bad(report, "allow", f"`allow: {code}` gives no reason", start, end)
    into.allow[code] = reason.strip()
    return None


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
