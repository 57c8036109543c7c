"""sqlc: its queries, with the macros and parameters of its own written as ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from todo_sql.adoption.documents import document, listed, text_of
from todo_sql.adoption.queried_table import field_name
from todo_sql.adoption.query_edits import EditedQuery, QueryHead, snake_case
from todo_sql.adoption.revisions import Asked
from todo_sql.catalog.names import quoted
from todo_sql.errors import Finding, UsageError
from todo_sql.sql.scanner import Kind, Token
from todo_sql.sql.source import Source

CONFIGURATIONS = ("sqlc.yaml", "sqlc.yml", "sqlc.json")
HEADERS = re.compile(
    r"^[ \t]*(?:--|#|/\*)[ \t]*name:[ \t]*(?P<name>\S+)[ \t]+:(?P<kind>\w+)[^\n]*$", re.MULTILINE
)
_KINDS = {
    **{kind: kind for kind in ("one", "many", "exec", "execrows", "copyfrom")},
    "execresult": "execrows",
    "batchexec": "batch",
    "batchone": "batch",
    "batchmany": "batch",
}
# What may stand behind a table and is no alias of it.
_KEYWORDS = {
    *("on", "where", "set", "values", "join", "left", "inner", "cross", "right", "full"),
    *("order", "group", "limit", "returning", "using", "for", "union", "default"),
    *("natural", "lateral", "select", "offset", "having", "window", "tablesample"),
}
_MACROS = ("arg", "narg", "slice", "embed")
_COMPARES = re.compile(r"[<>=!~]+\Z")
_LIKE = ("like", "ilike", "in", "any", "all", "similar")
_PLAIN_GO = ("string", "[]byte", "bool", "int", "uuid.UUID", "time.Time", "json.RawMessage")

Columns = Callable[[str | None, str], Sequence[str] | None]


def files(folder: Path, asked: Asked) -> list[Path]:
    """Return the query files: those of a sqlc.yaml, or of a folder."""
    places = [folder] if folder.is_file() else [folder / name for name in CONFIGURATIONS]
    found = next((one for one in places if one.name in CONFIGURATIONS and one.is_file()), None)
    if found is None:
        return places if folder.is_file() else sorted(folder.rglob("*.sql"))
    source = asked.source(found)
    chosen: dict[Path, None] = {}
    try:
        said = document(source)
    except ValueError as error:
        raise UsageError(
            f"{source.file} cannot be read: {error}",
            code="A101",
            fix="correct it, or name the folder of the query files",
        ) from None
    given: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    for block in listed(given.get("sql") or given.get("packages")):  # of version 2, of version 1
        if not isinstance(block, Mapping):
            continue
        engine = text_of(block.get("engine")) or "postgresql"
        names = [text_of(one) for one in listed(block.get("queries"))]
        if engine != "postgresql":
            asked.findings.append(
                _about(source, f"queries for {engine} are left out: {', '.join(names)}")
            )
            continue
        for name in names:
            chosen |= dict.fromkeys(_named(name, found.parent, source, asked))
        asked.findings.extend(_overrides(source, block))
    return list(chosen)


def _named(name: str, folder: Path, source: Source, asked: Asked) -> list[Path]:
    """Return the files that a name or a pattern of a sqlc.yaml means.

    Raises:
        UsageError: It is none, or leads out of the project.
    """
    plain = list(takewhile(lambda part: not set(part) & set("*?["), Path(name).parts))
    begin, pattern = folder.joinpath(*plain), Path(name).parts[len(plain) :]
    try:
        if not asked.holds(begin):
            raise ValueError(f"it lies outside of {asked.root}")
        if pattern:
            paths = list(begin.glob("/".join(pattern)))
        else:
            paths = list(begin.rglob("*.sql")) if begin.is_dir() else [begin]
    except (ValueError, OSError, RecursionError) as error:
        raise UsageError(
            f"the queries `{name[:100]}` of {source.file} cannot be read",
            code="A101",
            cause=str(error),
            place=source.place(max(source.text.find(name), 0)),
            fix="correct it, or name the folder of the query files",
        ) from None
    return sorted(path for path in paths if path.suffix == ".sql" and path.is_file())


def _overrides(source: Source, block: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what each override means here: a class of Go's is none of Python's."""
    generators = block.get("gen") if isinstance(block.get("gen"), Mapping) else {"": block}
    for options in (generators or {}).values():
        for one in listed(options.get("overrides")) if isinstance(options, Mapping) else ():
            if not isinstance(one, Mapping):
                continue
            given = one.get("go_type") or one.get("py_type")
            go = text_of(given.get("type") if isinstance(given, Mapping) else given)
            bare = go.rpartition("/")[2].lstrip("*")
            what = text_of(one.get("column") or one.get("db_type") or "?")
            if bare in _PLAIN_GO:
                continue  # what Python has for the type anyway
            yield _about(
                source,
                f"the override of {what} to {go or 'another type'} does not come over",
                f"name a class of Python's under [tool.todo-sql.types]: "
                f'`"{what}" = "app.types.{bare.rpartition(".")[2] or "T"}"`',
                at=max(source.text.find(what), 0),
            )


def _about(source: Source, message: str, fix: str | None = None, at: int = 0) -> Finding:
    return Finding("A151", "warning", message, source.place(at), fix=fix)


def heads(source: Source) -> list[QueryHead]:
    """Return the headers of a file."""
    return [
        QueryHead(
            one["name"],
            one.start(),
            one.end(),
            _KINDS.get(one["kind"]),
            reason=f"there is no :{one['kind']} for PostgreSQL",
            fix="write it with `returning`, as :one",
        )
        for one in HEADERS.finditer(source.text)
    ]


def edit(query: EditedQuery, columns: Columns) -> None:
    """Write the parameters and macros of sqlc's as ours.

    Args:
        query: Gets the edits.
        columns: The columns of a table, by schema and name; None: they are not known.
    """
    for token in query.tokens:
        text = query.word(token)
        if token.kind is Kind.LINE_COMMENT and re.match(r"--\s*@sqlc-vet-disable", text):
            query.replace(token.start, token.end, "")
    code = query.code
    at = 0
    while at < len(code):
        used = _macro(query, code, at, columns) or _at_name(query, code, at)
        if not used and code[at].kind is Kind.POSITIONAL:
            positional(query, code, at)
        at += used or 1
    _stars(query, code, columns)


def positional(query: EditedQuery, code: Sequence[Token], at: int) -> None:
    """Write ``$1`` as ours, named after the column that it meets."""
    number = query.word(code[at])
    wanted = _named_after(query, code, at) or f"p{number[1:]}"
    query.put(code[at].start, code[at].end, query.parameter(number, wanted))


def _macro(query: EditedQuery, code: Sequence[Token], at: int, columns: Columns) -> int:
    """Write ``sqlc.NAME(x)`` as ours; return how many tokens it has."""
    words = [query.word(one) for one in code[at : at + 6]]
    if len(words) < 6 or words[0].lower() != "sqlc" or words[1] != "." or words[3] != "(":
        return 0
    kind, given = words[2].lower(), words[4].strip("'\"")
    if kind not in _MACROS or words[5] != ")":
        query.left("A151", f"sqlc.{words[2]} is not known", code[at].start, "write it by hand")
        return 0
    start, end = code[at].start, code[at + 5].end
    if kind == "embed":
        query.replace(start, end, _embedded(query, code, given, start, columns))
        return 6
    name = query.parameter(given, given)
    if kind == "narg":
        query.nullable[name] = None
    if kind != "slice":
        query.put(start, end, name)
        return 6
    before = [query.word(one).lower() for one in code[max(at - 2, 0) : at]]
    closes = at + 6 < len(code) and query.word(code[at + 6]) == ")"
    if before != ["in", "("] or not closes:
        query.replace(start, end, f"any(:{name})" if before[-1:] == ["="] else f":{name}")
        return 6
    query.in_array(code, at - 2, code[at + 6].end, name)
    return 7


def _at_name(query: EditedQuery, code: Sequence[Token], at: int) -> int:
    """Write ``@name`` as ours."""
    sign = code[at]
    if sign.kind is not Kind.OPERATOR or query.word(sign) != "@" or at + 1 == len(code):
        return 0
    name = code[at + 1]
    if name.kind is not Kind.WORD or name.start != sign.end:
        return 0
    word = query.word(name)
    query.put(sign.start, name.end, query.parameter(word, word))
    return 2


def _embedded(
    query: EditedQuery, code: Sequence[Token], alias: str, at: int, columns: Columns
) -> str:
    """Return the columns of a table under dotted names, which nest."""
    table = _tables(query, code).get(alias.lower())
    found = columns(*table) if table else None
    if not found:
        query.left(
            "A151",
            f"sqlc.embed({alias}) is not written out: its columns are not known",
            at,
            f'write them: `{alias}.id as "{snake_case(alias)}.id"`, …; with the migrations in '
            "place, import does it",
        )
        return f"{alias}.*"
    field = snake_case(alias)
    listed = (f'{alias}.{quoted(one)} as "{field}.{field_name(one)}"' for one in found)
    return ",\n    ".join(listed)


def _stars(query: EditedQuery, code: Sequence[Token], columns: Columns) -> None:
    """Write the stars of a select list out, as sqlc itself does when it compiles."""
    tables = _tables(query, code)
    depth = 0
    for at, token in enumerate(code):
        word = query.word(token)
        depth += (word == "(") - (word == ")")
        if word != "*" or at == 0:
            continue
        before = query.word(code[at - 1]).lower()
        owner = query.word(code[at - 2]).strip('"').lower() if before == "." else None
        starts = before in ("select", "returning", ",") or owner is not None
        after = query.word(code[at + 1]).lower() if at + 1 < len(code) else ""
        if not starts or after not in ("", ",", "from", ";"):
            continue
        table = tables.get(owner) if owner else None
        if owner is None and len(set(tables.values())) == 1 and len(tables) == 1:
            table = next(iter(tables.values()))
        found = columns(*table) if table else None
        if not found:
            continue
        prefix = f"{query.word(code[at - 2])}." if owner else ""
        start = code[at - 2].start if owner else token.start
        query.replace(start, token.end, ", ".join(f"{prefix}{_shown(one)}" for one in found))


def _tables(query: EditedQuery, code: Sequence[Token]) -> dict[str, tuple[str | None, str]]:
    """Return the tables that a statement names, by their aliases."""
    found: dict[str, tuple[str | None, str]] = {}
    words = [query.word(one) for one in code]
    for at, word in enumerate(words):
        if word.lower() not in ("from", "join", "into", "update") or at + 1 >= len(words):
            continue
        if at and words[at - 1].lower() in ("distinct", "do", "for"):
            continue
        at += 1
        if words[at].lower() == "only":
            at += 1
        if at >= len(words) or code[at].kind not in (Kind.WORD, Kind.QUOTED):
            continue
        schema, name = None, words[at]
        if at + 2 < len(words) and words[at + 1] == ".":
            schema, name, at = name, words[at + 2], at + 2
        following = words[at + 1 : at + 3]
        if following[:1] == ["("] and word.lower() != "into":
            continue  # a function
        alias = name
        if following and following[0].lower() == "as" and len(following) > 1:
            alias = following[1]
        elif following and re.match(r'[A-Za-z_"]', following[0]):
            alias = following[0] if following[0].lower() not in _KEYWORDS else name
        found[alias.strip('"').lower()] = (schema and schema.strip('"'), name.strip('"'))
    return found


def _shown(name: str) -> str:
    """Return a column as a select list has it, under a name that a field can have."""
    field = field_name(name)
    return quoted(name) if field == name else f"{quoted(name)} as {quoted(field)}"


def _named_after(query: EditedQuery, code: Sequence[Token], at: int) -> str | None:
    """Return the column that a parameter is compared with or stored in, or None."""
    words = [query.word(one) for one in code]
    before = at - 1
    while before > 0 and words[before].lower() in ("(", "any", "all", "not", "lower", "upper"):
        before -= 1
    if before <= 0:
        return _stored(code, words, at)
    if words[before].lower() in ("limit", "offset"):
        return words[before].lower()
    if _COMPARES.match(words[before]) or words[before].lower() in _LIKE:
        if words[before - 1].lower() == "not":
            before -= 1
        return _column(code, words, before - 1)
    if words[before].lower() == "between":
        found = _column(code, words, before - 1)
        return f"{found}_from" if found else None
    after = at + 1
    while after + 1 < len(words) and words[after] == "::":
        after += 2
    if after + 1 < len(words) and _COMPARES.match(words[after]):
        return _column(code, words, after + 1, forward=True)
    return _stored(code, words, at)


def _column(
    code: Sequence[Token], words: Sequence[str], at: int, *, forward: bool = False
) -> str | None:
    """Return the last part of the name that ends, or begins, at a token."""
    if forward:
        while at + 2 < len(words) and words[at + 1] == ".":
            at += 2
    elif words[at] == ")" and at >= 2:  # lower(name)
        at -= 1
    if not 0 <= at < len(words) or code[at].kind not in (Kind.WORD, Kind.QUOTED):
        return None
    return words[at].strip('"')


def _stored(code: Sequence[Token], words: Sequence[str], at: int) -> str | None:
    """Return the column of an INSERT whose value a parameter is part of."""
    lower = [word.lower() for word in words]
    if "into" not in lower or "values" not in lower:
        return None
    values = lower.index("values")
    opening = next((n for n in range(lower.index("into"), values) if words[n] == "("), None)
    if opening is None or at < values:
        return None
    columns = [
        words[n].strip('"')
        for n in range(opening + 1, values)
        if code[n].kind in (Kind.WORD, Kind.QUOTED) and words[n - 1] in ("(", ",")
    ]
    depth, place = 0, 0
    for n in range(values + 1, at):
        depth += (words[n] in "([") - (words[n] in ")]")
        if depth == 0 and words[n] == ",":
            place = 0
        elif depth == 1 and words[n] == ",":
            place += 1
    return columns[place] if depth and place < len(columns) else None
