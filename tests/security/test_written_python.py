"""What a database, a query file or a cache says becomes Python: as a text, and never as code."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import pkgutil
import random
import sys
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.database import Owner, Server

from todo_sql.adoption.live import Tenancy
from todo_sql.cli.app import main
from todo_sql.cli.verbs.init import _configured, _files, _keys
from todo_sql.compiler import cache
from todo_sql.compiler.generating import generate
from todo_sql.compiler.generating.layout import docstring
from todo_sql.compiler.project import check_folder, whole
from todo_sql.config import Config, load_config
from todo_sql.queries.loader import load_folder

CODE = "__import__('builtins').ran.append(1)"
# Texts that would end what they stand in.
ENDS = (
    f'"""\n{CODE}\n"""', f'""""\n{CODE}\n#', f'\\"""\n{CODE}\n"""', f'"""""\n{CODE}\n"""""',
    f"'''\n{CODE}\n'''", f'"; {CODE} #', f"']; {CODE}; ['", f'"]; {CODE}; ["', f"{{{CODE}}}",
    f"\\\n{CODE}", f"\r{CODE}", f"\u2028{CODE}", f"\f{CODE}\\", '"', '""', "\\", "\\\\\"\"\"",
)  # fmt: skip


def test_a_docstring_ends_where_it_ends() -> None:
    """Whatever is in it: quotes in any number, backslashes, lines, long words."""
    parts = ['"', '""', '"""', "\\", "\n", " ", "a", "#", "x" * 60, "\r", "'"]
    texts = [*ENDS, *map("".join, product(parts, repeat=3))]
    dice = random.Random(1)
    texts += ["".join(dice.choices(parts, k=12)) for _ in range(2000)]
    for text in texts:
        source = "\n".join(["def f():", *docstring(text, "    ")])
        (function,) = ast.parse(source).body
        assert isinstance(function, ast.FunctionDef)
        (doc,) = function.body
        assert isinstance(doc, ast.Expr), text
        assert isinstance(doc.value, ast.Constant), text


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the code of an attacker would add to."""
    found: list[int] = []
    monkeypatch.setattr(builtins, "ran", found, raising=False)
    return found


@pytest.fixture
def scratch(server: Server, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test server for scratch databases."""
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url(user=owner.name))


def imported(root: Path, package: str) -> None:
    """Import every module of a generated package, and forget it again."""
    sys.path.insert(0, str(root))
    try:
        importlib.invalidate_caches()
        found = importlib.import_module(package)
        for module in pkgutil.iter_modules(found.__path__):
            importlib.import_module(f"{package}.{module.name}")
    finally:
        sys.path.remove(str(root))
        for name in [one for one in sys.modules if one.split(".")[0] == package.split(".")[0]]:
            del sys.modules[name]


@pytest.mark.database
@pytest.mark.usefixtures("scratch")
def test_no_name_and_no_comment_of_a_database_is_code(
    tmp_path: Path, empty_database: str, ran: list[int]
) -> None:
    """`init --from` of a database whose author wrote Python into all that has a text."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for number, text in enumerate(ENDS):
            name, label, text_of = sql.Identifier(f"{number}{text}"[:60]), text[:60], sql.Literal
            column = sql.Identifier(text[:60])
            table = sql.Identifier(f"t{number}{text}"[:60])
            for statement in (
                sql.SQL("create type {} as enum ({}, 'b')").format(name, text_of(label)),
                sql.SQL(
                    "create table {} (id bigint generated always as identity primary key, {} {}, "
                    "plain text default {} check (plain in ({}, 'c')))"
                ).format(table, column, name, text_of(text), text_of(text)),
                sql.SQL("comment on table {} is {}").format(table, text_of(text)),
                sql.SQL("comment on column {}.plain is {}").format(table, text_of(text)),
                sql.SQL("comment on column {}.{} is {}").format(table, column, text_of(text)),
                sql.SQL("create index on {} (plain)").format(table),
            ):
                connection.execute(statement)
    root = tmp_path / "odd"
    assert main(["init", str(root), "--from", empty_database, "--yes", "--quiet"]) == 0
    imported(root, "odd.db")
    assert not ran


@pytest.mark.parametrize(
    "role",
    ['a\\" }\n[x]\ny = "', "r\\1", "r\\g<0>", '"', "\\", "\x7f\x1b\t", "'''", '"""', "a, b", "é#"],
)
def test_no_name_of_a_role_is_a_key_of_the_configuration(role: str) -> None:
    """The role of the policies stands in pyproject.toml as it is called."""
    keys = _keys("app", 18, Tenancy("user_id", "app.user_id", role))
    text = _configured(_files("app")["pyproject.toml"], keys)
    section = tomllib.loads(text)["tool"]["todo-sql"]
    tenant = {"parameter": "user_id", "setting": "app.user_id", "role": role}
    assert section.pop("tenant") == tenant
    assert section.keys() == {"migrations", "queries", "generate"}
    assert tomllib.loads(keys)["tenant"] == tenant


QUERIES = """
-- name: find_note :optional -> Note
-- param: mood? = 'ok'
-- param: since = '2020-01-01'
-- param: most = 1.5
select n.id, n.mood, n.at, n.price, n.tags, n.body, n.spans
from notes as n
where n.mood = :mood and n.at > :since and n.price < :most and n.tags = :tags;

-- name: list_deep :many -> Deep
select n.id, m.id as "other.id", m.body as "other.body"
from notes as n
left join notes as m on m.id = n.id + 1;

-- name: add_note :one
insert into notes (body, price) values (:body, :price) returning id;
"""
TABLES = """-- irreversible: a test
create type mood as enum ('ok', 'bad');
create table notes (
    id bigint primary key, mood mood, at date not null default now(), price numeric not null,
    tags text[], body text check (char_length(body) < 90), spans tstzrange);
comment on column notes.body is 'What it says.';
"""
LIES = (
    f"int; {CODE}", f"{CODE} #", f"x\n{CODE}\n", f"list[{CODE}]", f'"{CODE}"\n', "os", "int #",
    "evil.module", "",
)  # fmt: skip
# Of an annotation, pydantic reads a text as Python again.
TWICE = (f"'{CODE}'", f"list['{CODE}']")


FOREIGN = {"__import__", "os", "evil", "evil.module"}


def foreign_words(tree: ast.Module) -> Iterator[str]:
    """Yield what an attacker would use in a module, and the modules that it imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="__import__") | ast.alias(name="os"):
                yield ast.unparse(node)
            case ast.ImportFrom(module=str(name)):
                yield name


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each text of a document, and to each key."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _leaves(one, (*path, number))
    elif isinstance(value, str):
        yield path


@pytest.fixture
def cached(tmp_path: Path, scratch: None) -> Config:
    """A project whose queries are in the cache."""
    for name, text in {
        "todo-sql.toml": 'generate = "pkg"\n',
        "queries/notes.sql": QUERIES,
        "migrations/20260101000000_notes.sql": TABLES,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    config = load_config(tmp_path)
    assert not check_folder(config, keep=True).errors
    return config


@pytest.mark.database
@pytest.mark.parametrize("enums", ["literal", "enum"])
def test_no_text_of_a_cache_is_code(cached: Config, enums: str, ran: list[int]) -> None:
    """`generate --offline` believes what is a name, a type or a constant, and nothing else."""
    (cached.root / "todo-sql.toml").write_text(f'generate = "pkg"\nenums = "{enums}"\n')
    config = load_config(cached.root)
    check_folder(config)
    queries = load_folder(config.queries, config.root)
    folder, generated = cache.folder_of(config.queries), config.generate
    assert generated is not None

    def offline(changed: str | None = None, *, whole_way: bool = True) -> bool:
        """Generate, and read or import what came; whether it was refused."""
        if changed and cache.read(folder, [queries[changed]], config)[0].described is None:
            return True
        analysis = whole(queries, cache.read(folder, queries.values(), config), config)
        if analysis.errors:
            return True
        files = generate.render(analysis.described, queries.files, config)
        for name, text in files.items():
            if name.endswith(".py"):
                assert not FOREIGN & set(foreign_words(ast.parse(text)))
        if whole_way:
            generate.write(files, generated, config.root)
            imported(config.root, "pkg")
        return False

    assert not offline()
    refused = 0
    for path in sorted(folder.glob("*.json")):
        whole_text = path.read_text()
        document = json.loads(whole_text)
        for number, way in enumerate(_leaves(document)):
            if way[0] in ("basis", "findings"):
                continue
            python = way[-1] in ("text", "default")
            some = LIES if python else [LIES[(number + turn) % len(LIES)] for turn in (0, 3)]
            for lie in (*some, *(TWICE if python else ())):
                changed = json.loads(whole_text)
                place: Any = changed
                for step in way[:-1]:
                    place = place[step]
                place[way[-1]] = lie
                path.write_text(json.dumps(changed))
                refused += offline(path.stem, whole_way=lie in TWICE)
                assert not ran, (way, lie)
        path.write_text(whole_text)
    assert refused > 100
    assert not offline()
