"""Queries of other tools in our notation: sqlc, sqlx, aiosql, PgTyped. Pure but for files.

Only what is notation is changed: headers, parameters, sqlc's macros. What PostgreSQL reads
stays as it stands there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from todo_sql.sql.scanner import COMMENTS, Kind, ScanError, Token, scan


@dataclass(frozen=True)
class Query:
    """One query: its name there, and its text here.

    Attributes:
        file: The query file that it goes to here.
        parameters: The types that the other tool found, as `format_type` names them.
        columns: Likewise; None where the other tool says nothing.
    """

    name: str
    text: str
    file: str = "queries"
    parameters: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Case:
    """Queries with the schema that they are for."""

    name: str
    schema: str
    queries: tuple[Query, ...]


Replacement = Callable[[str, list[Token], int], tuple[int, str] | None]
"""Given text, tokens and an index: how many tokens to replace there, and by what."""


def rewrite(text: str, replacement: Replacement) -> str:
    """Replace tokens outside quotes and comments."""
    try:
        tokens = scan(text)
    except ScanError:
        return text
    done, position, index = [], 0, 0
    while index < len(tokens):
        found = None if tokens[index].kind in COMMENTS else replacement(text, tokens, index)
        if found is None:
            index += 1
            continue
        count, new = found
        done += [text[position : tokens[index].start], new]
        position = tokens[index + count - 1].end
        index += count
    return "".join([*done, text[position:]])


def header(name: str, cardinality: str, *directives: str) -> str:
    """Return the header of a query as we write it."""
    lines = [f"-- name: {re.sub(r'[^A-Za-z0-9_]', '_', name)} :{cardinality}", *directives]
    return "\n".join(lines) + "\n"


def returns_rows(sql: str) -> bool:
    """Whether a statement's words say that it returns rows."""
    words = [sql[t.start : t.end].lower() for t in scan(sql) if t.kind is Kind.WORD]
    return words[:1] in (["select"], ["values"]) or "returning" in words


def sections(pattern: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Cut a text at its headers; yield each header with what stands below it."""
    found = list(pattern.finditer(text))
    for index, match in enumerate(found):
        end = found[index + 1].start() if index + 1 < len(found) else len(text)
        yield match, text[match.end() : end].strip()


# sqlc ---------------------------------------------------------------------------------------

_SQLC_HEADER = re.compile(r"^(?:--|/\*|#)\s*name:\s*(\S+)\s+:(\w+)[^\n]*$", re.MULTILINE)
_SQLC_CARDINALITIES = {
    "execresult": "exec",
    "execlastid": "exec",
    "batchexec": "batch",
    "batchmany": "batch",
    "batchone": "batch",
}
_SQLC_MACROS = ("arg", "narg", "slice", "embed")
_EMBEDDED = " /* embedded */"


def sqlc(checkout: Path) -> Iterator[Case]:
    """Yield the PostgreSQL cases of sqlc's own tests, each pair of schema and queries once."""
    root = checkout / "internal" / "endtoend" / "testdata"
    seen = set()
    for path in sorted(root.glob("**/postgresql/**/*schema.sql")):
        files = [one for one in sorted(path.parent.glob("**/*.sql")) if one != path]
        for file in files:
            case = (path.read_text(encoding="utf-8"), file.read_text(encoding="utf-8"))
            if case not in seen:
                seen.add(case)
                shown = file.relative_to(root).as_posix()
                yield Case(shown, case[0], tuple(sqlc_queries(case[1])))


def sqlc_python(checkout: Path) -> Iterator[Case]:
    """Yield the PostgreSQL cases of sqlc-gen-better-python, each pair of files once."""
    folders = [checkout / "test"]
    folders += sorted((checkout / "test").glob("driver_psycopg_*"))
    folders += sorted((checkout / "test").glob("driver_asyncpg"))
    seen = set()
    for folder in folders:
        schema = (folder / "schema.sql").read_text(encoding="utf-8")
        for file in sorted(folder.glob("queries*.sql")):
            case = (schema, file.read_text(encoding="utf-8"))
            if case not in seen:
                seen.add(case)
                shown = file.relative_to(checkout).as_posix()
                yield Case(shown, schema, tuple(sqlc_queries(case[1])))


_TAP_WORDS = {
    "BLOB": "BYTEA",
    "INTEGER PRIMARY KEY": "BIGSERIAL PRIMARY KEY",
    "TIMESTAMP": "TIMESTAMP WITHOUT TIME ZONE",
    "UNHEX": "DECODE",
}  # as their tapdb/postgres.go replaces them


def hatchet(checkout: Path) -> Iterator[Case]:
    """Yield hatchet's queries, with the files that its sqlc.yaml names (its stubs aside)."""
    root = checkout / "pkg" / "repository" / "sqlcv1"
    yaml = (root / "sqlc.yaml").read_text(encoding="utf-8")
    files = [root / name for name in re.findall(r"- (\S+\.sql)$", yaml, re.MULTILINE)]
    schema = [file for file in files if "schema" in file.parts or "additional" in file.name]
    case = _project("hatchet", schema, [file for file in files if file not in schema])
    migrations = checkout / "cmd" / "hatchet-migrate" / "migrate" / "migrations"
    function = (migrations / "20250320210345_v1_0_6.sql").read_text(encoding="utf-8")
    function = function.split("-- +goose StatementEnd", 1)[0]  # what their schema leaves out
    yield replace(case, schema=f"{case.schema}\n{function}")


def minder(checkout: Path) -> Iterator[Case]:
    """Yield the queries of mindersec/minder."""
    root = checkout / "database"
    yield _project("minder", root.glob("migrations/*.up.sql"), root.glob("query/*.sql"))


def taproot_assets(checkout: Path) -> Iterator[Case]:
    """Yield the queries of lightninglabs/taproot-assets."""
    root = checkout / "tapdb" / "sqlc"
    case = _project("tap", root.glob("migrations/*.up.sql"), root.glob("queries/*.sql"))
    schema = case.schema
    for theirs, ours in _TAP_WORDS.items():
        schema = schema.replace(theirs, ours)
    yield replace(case, schema=schema)


def _project(name: str, schema: Iterable[Path], files: Iterable[Path]) -> Case:
    """Read the one schema and the query files of a project that uses sqlc."""
    schema = list(schema)
    ordered = sorted(schema) if len({file.parent for file in schema}) == 1 else schema
    return Case(
        name,
        "\n;\n".join(
            file.read_text(encoding="utf-8") for file in ordered if file.name != "pg-stubs.sql"
        ),
        tuple(
            replace(query, file=re.sub(r"\W", "_", file.stem))
            for file in sorted(files)
            for query in sqlc_queries(file.read_text(encoding="utf-8"))
        ),
    )


def sqlc_queries(text: str) -> Iterator[Query]:
    """Yield the queries of one of sqlc's files."""
    for match, sql in sections(_SQLC_HEADER, text):
        nullable = list(dict.fromkeys(re.findall(r"sqlc\.narg\(\s*'?(\w+)'?\s*\)", sql)))
        sql = re.sub(r"(?i)\bin\s*\(\s*(sqlc\.slice\([^)]*\))(/\*.*?\*/)?\s*\)", r"= any(\1)", sql)
        top = header(
            match[1],
            _SQLC_CARDINALITIES.get(match[2], match[2]),
            *(f"-- param: {name}?" for name in nullable),
        )
        yield Query(match[1], top + rewrite(sql, _sqlc_token))


def _sqlc_token(text: str, tokens: list[Token], index: int) -> tuple[int, str] | None:
    words = [text[token.start : token.end] for token in tokens[index : index + 6]]
    kind, _, end = tokens[index]
    if kind is Kind.POSITIONAL:
        name = f":p{words[0][1:]}"
        subscript = index and text[tokens[index - 1].start] == "["
        return 1, f"({name})" if subscript else name
    if words[0] == "sqlc" and words[1:2] == ["."] and words[2] in _SQLC_MACROS:
        if words[3] != "(" or words[5:6] != [")"]:
            return None  # as their tests of mistakes have it: PostgreSQL knows no sqlc.arg()
        name = words[4].strip("'")
        return (6, f"{name}.*{_EMBEDDED}") if words[2] == "embed" else (6, f":{name}")
    if kind is Kind.OPERATOR and words[0].endswith("@") and words[0] not in ("<@", "@@"):
        following = tokens[index + 1 : index + 2]
        if following and following[0].kind is Kind.WORD and following[0].start == end:
            return 2, f"{words[0][:-1]}:{words[1]}"
    return None


def embedded(text: str, columns: Callable[[str], Sequence[str]]) -> str:
    """Return a query whose columns of a table that sqlc embeds have dotted names, which nest.

    Args:
        text: The query.
        columns: The columns of a table; none: it is not known.
    """

    def write(found: re.Match[str]) -> str:
        alias = found[1]
        source = re.search(
            rf'(?i)\b(?:from|join)\s+((?:[\w"]+\.)?"?{alias}"?|[\w."]+(?:\s+as)?\s+{alias})\b', text
        )
        table = re.split(r"\s", source[1])[0] if source else alias
        shown = [f'{alias}."{one}" as "{alias}.{one}"' for one in columns(table)]
        return ", ".join(shown) or f"{alias}.*"

    return re.sub(rf"(\w+)\.\*{re.escape(_EMBEDDED)}", write, text)


# sqlx ---------------------------------------------------------------------------------------

_SQLX_TYPES = {
    "BOOL": "boolean",
    "CHAR": '"char"',
    "FLOAT4": "real",
    "FLOAT8": "double precision",
    "INT2": "smallint",
    "INT4": "integer",
    "INT8": "bigint",
    "TIMESTAMPTZ": "timestamp with time zone",
    "TIMESTAMP": "timestamp without time zone",
    "VARCHAR": "character varying",
}

_SQLX_LEDGER = """create table _sqlx_migrations (version bigint primary key, description text,
    installed_on timestamptz, success boolean, checksum bytea, execution_time bigint)"""


def labrinth(checkout: Path) -> Iterator[Case]:
    """Yield the queries of modrinth's labrinth."""
    root = checkout / "apps" / "labrinth"
    yield Case("labrinth", _migrations(root / "migrations"), tuple(sqlx(root / ".sqlx")))


def mas(checkout: Path) -> Iterator[Case]:
    """Yield the queries of element-hq/matrix-authentication-service."""
    root = checkout / "crates" / "storage-pg"
    yield Case("mas", _migrations(root / "migrations"), tuple(sqlx(root / ".sqlx")))


def _migrations(folder: Path) -> str:
    files = [file for file in sorted(folder.glob("*.sql")) if not file.name.endswith(".down.sql")]
    return "\n;\n".join([_SQLX_LEDGER, *(file.read_text(encoding="utf-8") for file in files)])


def sqlx(folder: Path) -> Iterator[Query]:
    """Yield what sqlx keeps of each query: its text, and what the server said of its types."""
    for file in sorted(folder.glob("query-*.json")):
        kept = json.loads(file.read_text(encoding="utf-8"))
        found = kept["describe"]
        names = [re.sub(r"[!?]?(: .+)?$", "", one["name"]) for one in found["columns"]]
        sql = re.sub(r"\$(\d+)", r":p\1", kept["query"])
        for one, name in zip(found["columns"], names, strict=True):
            if one["name"] != name:
                sql = sql.replace(f'"{one["name"]}"', f'"{name}"')
        yield Query(
            f"q_{kept['hash'][:12]}",
            header(f"q_{kept['hash'][:12]}", "many" if names else "execrows") + sql.strip(),
            f"part_{kept['hash'][0]}",
            tuple(map(_sqlx_type, found["parameters"].get("Left", ()))),
            tuple(_sqlx_type(one["type_info"]) for one in found["columns"]),
        )


def _sqlx_type(found: Any) -> str:
    if isinstance(found, dict):
        return str(found["Custom"]["name"])
    name = str(found).upper()
    if name.endswith("ARRAY"):
        return _sqlx_type(name.removesuffix("ARRAY")) + "[]"
    return _SQLX_TYPES.get(name, name.lower())


# aiosql -------------------------------------------------------------------------------------

_AIOSQL_HEADER = re.compile(
    r"^--\s*name:\s*([\w-]+?)\s*(?:\([^)]*\))?\s*(\^|\$|!|<!|\*!|#)?\s*$", re.MULTILINE
)
_AIOSQL_CARDINALITIES = {
    "^": "optional",
    "$": "optional",
    "!": "execrows",
    "<!": "many",
    "*!": "batch",
    "#": "exec",
    None: "many",
}


def aiosql(checkout: Path) -> Iterator[Case]:
    """Yield the files of aiosql's test application that its PostgreSQL drivers read."""
    root = checkout / "tests" / "blogdb" / "sql"
    files = [
        file
        for file in sorted(root.glob("**/*.sql"))
        if set(file.relative_to(root).parts[:-1]) <= {"blogs", "comments", "misc", "users"}
        or "pg" in file.relative_to(root).parts
    ]
    read = [(file, list(aiosql_queries(file.read_text(encoding="utf-8")))) for file in files]
    schema = "".join(
        f"{query.text};\n"
        for name in ("users", "blogs", "")  # users before those who refer to them
        for file, queries in read
        for query in queries
        if "pg" in file.parts and re.fullmatch(rf"create-table-?{name}", query.name)
    )
    for file, queries in read:
        yield Case(file.relative_to(root).as_posix(), schema, tuple(queries))


def aiosql_queries(text: str) -> Iterator[Query]:
    """Yield the queries of one of aiosql's files."""
    for match, body in sections(_AIOSQL_HEADER, text):
        sql = re.sub(r"(?m)^-- *record_class:.*$", "", body).replace("%%", "%")
        for number in range(1, sql.count("%s") + 1):
            sql = sql.replace("%s", f":p{number}", 1)
        sql = re.sub(r"(:\w+)\.(\w+)", r"\1_\2", sql)  # an attribute of an argument
        yield Query(match[1], header(match[1], _AIOSQL_CARDINALITIES[match[2]]) + sql)


# PgTyped ------------------------------------------------------------------------------------

_PGTYPED_HEADER = re.compile(r"/\*(?:(?!\*/)[\s\S])*?@name\s+(\w+)((?:(?!\*/)[\s\S])*)\*/")
_PGTYPED_PARAM = re.compile(r"@param\s+(\w+)\s*->\s*\(([^)]*(?:\([^)]*\))?[^)]*)\)")
_PGTYPED_TEMPLATE = re.compile(r"const (\w+) = sql(?:<\w+>)?`([^`]*)`")


def pgtyped(checkout: Path) -> Iterator[Case]:
    """Yield the files of PgTyped's example."""
    root = checkout / "packages" / "example"
    schema = (root / "sql" / "schema.sql").read_text(encoding="utf-8")
    for file in sorted((root / "src").glob("*/*.sql")):
        queries = tuple(pgtyped_queries(file.read_text(encoding="utf-8")))
        yield Case(file.relative_to(root).as_posix(), schema, queries)
    for file in sorted((root / "src").glob("*/*.ts")):
        queries = tuple(pgtyped_templates(file.read_text(encoding="utf-8")))
        if queries:
            yield Case(file.relative_to(root).as_posix(), schema, queries)


def pgtyped_queries(text: str) -> Iterator[Query]:
    """Yield the queries of one of PgTyped's .sql files."""
    for match, sql in sections(_PGTYPED_HEADER, text):
        for name, body in _PGTYPED_PARAM.findall(match[2]):
            fields = re.findall(r"\w+", body)
            row = f"({', '.join(f':{field}' for field in fields)})"
            if fields:
                sql = re.sub(rf":{name}\b!?", row, sql)
            else:
                sql = re.sub(rf"\bin :{name}\b!?", f"= any(:{name})", sql)
        yield _pgtyped(match[1], sql)


def pgtyped_templates(text: str) -> Iterator[Query]:
    """Yield the queries in one of PgTyped's .ts files."""
    for name, template in _PGTYPED_TEMPLATE.findall(text):
        sql = re.sub(r"\$\$?\w+\(([^)]*)\)", _pgtyped_row, template.strip())
        yield _pgtyped(name, re.sub(r"\$(\w+)", r":\1", sql))


def _pgtyped_row(found: re.Match[str]) -> str:
    return "(" + re.sub(r"(\w+)!?", r":\1", found[1]) + ")"


def _pgtyped(name: str, sql: str) -> Query:
    sql = re.sub(r"(:\w+)!", r"\1", sql)
    directives = [
        f"-- column: {column} {'not null' if mark == '!' else 'null'}"
        for column, mark in re.findall(r'as "(\w+)([!?])"', sql)
    ]
    sql = re.sub(r'as "(\w+)[!?]"', r'as "\1"', sql)
    return Query(name, header(name, "many" if returns_rows(sql) else "exec", *directives) + sql)
