"""No name of a query, model, parameter, column, type or file breaks the generated package."""

from __future__ import annotations

import builtins
import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.checkers import MYPY, PYRIGHT, passes
from support.compiling import config_of
from support.soak import IS_FULL

from todo_sql.codes import all_codes
from todo_sql.compiler.describe import Analysis, Compiler
from todo_sql.compiler.generating import generate
from todo_sql.compiler.project import whole
from todo_sql.config import Config
from todo_sql.queries.loader import QuerySet, read_folder
from todo_sql.runtime import __all__ as FACE

# Of Python's own names the suite tries some, a full run all.
SHARE = 1 if IS_FULL else 5
BUILTINS = [
    *("str", "int", "float", "bool", "bytes", "list", "dict", "map", "object", "print"),
    *(name for name in dir(builtins) if name.islower() or not name[0].isalpha()),
    *(name for name in dir(builtins) if isinstance(getattr(builtins, name), type)),
]
# What generated modules use themselves, what Python has, and what people call things.
NAMES = sorted(
    {
        *FACE,
        *("Any", "overload", "TYPE_CHECKING", "Coroutine", "Iterable", "Sequence", "Annotated"),
        *("Literal", "TypedDict", "NotRequired", "SkipJsonSchema", "BaseModel", "ConfigDict"),
        *("Field", "PlainSerializer", "WithJsonSchema", "Decimal", "UUID", "datetime", "date"),
        *("time", "timedelta", "Range", "Multirange", "IPv4Address", "annotations", "models"),
        *("session", "session_", "params", "rows", "cursor", "cursor_", "self", "cls", "one"),
        *("_FILE", "_Query", "_str", "__str", "_DATE", "__package__", "__getattr__", "todo_sql"),
        *("typing", "pydantic", "match", "case", "type", "model_config", "model_dump_it", "copy"),
        *("json", "schema", "validate", "Task", "listTasks", "list_tasks", "UNSET", "unset"),
        *("class", "None", "from", "async", "lambda"),
        *BUILTINS[:10],
        *BUILTINS[10::SHARE],
    }
)
TYPES = ["date", "My Type", "select", "it's", 'say "so"', "Ünïcode", "class", "a.b", "back\\slash"]
# As members of a class these would be Python's own, or no names, or equal.
LABELS = ["", "a", "A", "b-c", "b c", "1", "it's", '"', "\\", "mro MRO", "none ", "_x", "__x__"]

CALL = """
import importlib, sys
from enum import StrEnum
from pathlib import Path
from todo_sql import Database

with Database.connect(sys.argv[1]) as db:
    session = db.session()
    for line in Path("calls").read_text().splitlines():
        module, function, argument = line.split()
        function = getattr(importlib.import_module(f"hostile.{module}"), function)
        if module.startswith("enum"):
            row = function(session, **{argument: argument, "w": ["b-c"]})
            kind = type(getattr(row, argument))
            assert issubclass(kind, StrEnum) and row.w == [kind("b-c")], line
            assert row == function(session, **{argument: kind(argument), "w": list(row.w)})
            continue
        if module.startswith("composite"):
            row = function(session, **{argument: (1, "b-c")})
            assert row.v == {argument: 1, "e": "b-c"}, line
            continue
        row = function(session, **{argument: ["a", "b"]})
        assert getattr(row, argument) == ["a", "b"], line
"""


def queries(name: str) -> dict[str, str]:
    """Return a query that has this name in each place where one can stand, by file."""
    call = "select 1 as n, :{0}::text[] as \"{0}\", '2026-01-01'::date as day;\n"
    row = f"select '2026-01-01'::date as \"{name}\", 1::numeric as n, array['a'] as tags"
    return {
        "query": f"-- name: {name} :one\n{call.format('p')}",
        "parameter": f"-- name: takes_{name} :one\n{call.format(name)}",
        "model": f"-- name: q_{name} :many -> {name}\nselect 1 as n, 'x'::text as t;\n",
        "column": f"-- name: has_{name} :optional\n{row};\n",
        "field": f"-- name: form_{name} :one\n-- params: Form{name}\n"
        f"select :{name}::date as d, :q::numeric as n;\n",
        "nested": f"-- name: nest_{name} :one -> Nest{name}\n-- model: x -> Inner{name}\n"
        f'select 1 as "{name}.id", 2 as "x.{name}", current_date as "x.day", 1 as "x.y.{name}";\n',
        "inner": f"-- name: inner_{name} :many\n-- model: x -> {name}\n"
        'select 1 as "x.n", \'x\'::text as "x.t";\n',
        "choice": f"-- name: choose_{name} :optional\n-- one of: {name}, other_\nselect 1\n"
        "where true\n"
        f"and ( -- if: {name}\n:{name}::date = now()\n)\nand :other_::int = 1 -- if: other_\n;\n",
        "enum": f'-- name: enum_{name} :one\n-- param: w public."{name}"[] ?\n'
        f'select :{name}::public."{name}" as "{name}", :w as w;\n',
        "composite": f'-- name: made_{name} :one\n-- param: {name} public."c {name}"\n'
        f'select to_jsonb(:{name}) as v, (:{name}).e as "{name}";\n',
        "copy": f"-- name: copy_{name} :copyfrom\ninsert into t (d) values (:{name});\n",
    }


def project() -> dict[str, list[str]]:
    """Return every query by file; names that are equal but for case get files of their own."""
    files: dict[str, list[str]] = {}
    for name in NAMES:
        twins = [one for one in NAMES if one.lower() == name.lower()]
        for kind, text in queries(name).items():
            files.setdefault(f"{kind}{twins.index(name)}", []).append(text)
    for name in (*NAMES, "date-time", "a.b", "1st", "with space", "it's"):
        files[name] = [f"-- name: in_{len(files)} :one\nselect 1;\n"]
    for number, name in enumerate(TYPES):
        quoted = '"' + name.replace('"', '""') + '"'
        values = f"select :v::{quoted} as v, :w::{quoted}[] as w;\n"
        files.setdefault("types0", []).append(f"-- name: typed_{number} :one\n{values}")
    return files


def check(files: dict[str, list[str]], url: str, config: Config) -> tuple[Analysis, QuerySet]:
    """Write the files and check them as `todo-sql check` does."""
    shutil.rmtree(config.queries, ignore_errors=True)
    config.queries.mkdir()
    for name, texts in files.items():
        (config.queries / f"{name}.sql").write_text("".join(texts))
    found = read_folder(config.queries, config.root)
    with psycopg.connect(url, autocommit=True) as connection:
        examined = Compiler(connection, config).examine(found.values())
    analysis = whole(found, examined, config)
    findings = tuple(one for one in analysis.findings if one.code != "C129")  # that is meant
    return replace(analysis, findings=findings), found


def run(*words: str, cwd: Path) -> None:
    """Run a program of this environment, which has to succeed."""
    result = subprocess.run(
        [str(Path(sys.executable).parent / words[0]), *words[1:]],
        cwd=cwd, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


@pytest.mark.long
def test_hostile_names(
    empty_database: str, tmp_path: Path, counts: dict[str, Counter[str]]
) -> None:
    """What is accepted imports, passes both type checkers and runs; what is not has a place."""
    config = replace(config_of(tmp_path), generate=tmp_path / "hostile", enums="enum")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create table t (d date)")
        for name in NAMES:
            kinds = [psycopg.sql.Identifier(one) for one in (name, f"c {name}")]
            labels = psycopg.sql.SQL(", ").join(map(psycopg.sql.Literal, (name, *LABELS)))
            connection.execute(
                psycopg.sql.SQL("create type public.{} as enum ({})").format(kinds[0], labels)
            )
            connection.execute(
                psycopg.sql.SQL("create type public.{} as ({} int, e public.{})").format(
                    kinds[1], psycopg.sql.Identifier(name), kinds[0]
                )
            )
        for name in set(TYPES) - set(NAMES):
            create = psycopg.sql.SQL("create type {} as enum ('a', 'it''s', '\"', '\\')")
            connection.execute(create.format(psycopg.sql.Identifier(name)))
    files = project()
    analysis, _ = check(files, empty_database, config)
    told = counts["hostile names"]
    for finding in analysis.findings:
        assert finding.code in ("Q101", "Q105", "Q109", "Q112", "C107", "C108", "C119")
        told[f"refused by {finding.code} ({all_codes()[finding.code].title})"] += 1
        assert finding.place is not None
        texts = files.get(Path(finding.place.file).stem, [])
        lines = 0
        for number, text in enumerate(texts):
            lines += max(1, text.count("\n"))
            if finding.place.line <= lines:
                texts[number] = "\n" * text.count("\n")
                break
    analysis, found = check(
        {name: texts for name, texts in files.items() if "".join(texts).strip()},
        empty_database,
        config,
    )
    assert not analysis.findings
    described = analysis.described
    generate.write(generate.render(described, found.files, config), tmp_path / "hostile", tmp_path)
    calls = [
        f"{Path(entry.query.source.file).stem} {entry.query.name} {entry.own_parameters[0].name}"
        for entry in described
        if Path(entry.query.source.file).stem[:-1] in ("query", "parameter", "enum", "composite")
    ]
    calls = [line for line in calls if not line.endswith(" w")]
    told.update({"names": len(NAMES), "queries": len(described), "calls": len(calls)})
    assert len(described) > 5 * len(NAMES)
    (tmp_path / "calls").write_text("\n".join(calls))
    run("python", "-W", "error", "-c", CALL, empty_database, cwd=tmp_path)
    modules = ", ".join(sorted(path.stem for path in (tmp_path / "hostile").glob("*.py")))
    run("python", "-W", "error", "-c", f"from hostile import {modules}", cwd=tmp_path)
    kept = dict.fromkeys(["reportPrivateUsage", "reportUnusedFunction", "reportUnusedClass"], False)
    strict = {
        "typeCheckingMode": "strict",
        **kept,
    }  # a name with an underscore is the user's choice
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(strict))
    passes(tmp_path, (*MYPY, "--strict", "hostile"), (*PYRIGHT, "hostile"))
