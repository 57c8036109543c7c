"""Every SQL text of ours runs under our own search path, or leaves nothing to a path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import todo_sql
from todo_sql.queries.own import named_queries
from todo_sql.queries.variants import variants
from todo_sql.sql.grammar import GrammarError, parse
from todo_sql.wire.statement import comment

PACKAGE = Path(todo_sql.__file__).parent

# Module -> what puts its texts under our own path, and the module that does it. Whoever adds
# an unqualified text elsewhere qualifies it, or runs it so and says it here.
UNDER_OUR_PATH = {
    "adoption/carry.py": (
        "FlightCommand(SAFE_LOCALLY),\n        FlightCommand(_FIND",
        "adoption/carry.py",
    ),
    "compiler/checks/queries": ("ours(connection)", "compiler/checks/serving.py"),
    "catalog/queries": ("SAFE_LOCALLY)", "catalog/read.py"),
    "compiler/queries": ("with ours(connection):", "compiler/schema.py"),
    "compiler/scratch.py": ("SAFE_ALWAYS", "compiler/scratch_role.py"),
    "compiler/scratch_role.py": ("SAFE_ALWAYS", "compiler/scratch_role.py"),
    "embedded/cluster.py": (
        "self._alone(building, ",
        "embedded/cluster.py",
    ),  # nobody was there yet
    "review/foresight.py": ("self._live.execute(SAFE_LOCALLY)", "review/foresight.py"),
    "database/executor.py": ("OURS, Step(_COLUMNS", "database/executor.py"),
    "database/handshake.py": ("OURS, Step(_ROLE)", "database/handshake.py"),
    "migrations/engine/concurrent.py": ("[OURS, ", "migrations/engine/concurrent.py"),
    "migrations/engine/queries": ('f"{SAFE_LOCALLY};{look', "migrations/engine/watch.py"),
    "migrations/ledger.py": ("vetting.readable", "migrations/ledger.py"),
    "migrations/ledger_place.py": (
        "FlightCommand(SAFE_LOCALLY), asked",
        "migrations/ledger_place.py",
    ),
    "migrations/ledger_writer.py": ("OURS, proof]", "migrations/engine/nontransactional.py"),
    "migrations/lock.py": ("SAFE_LOCALLY", "migrations/lock.py"),
    "migrations/losses.py": ("OURS", "migrations/losses.py"),
    "migrations/target.py": ("SAFE_LOCALLY", "migrations/target.py"),
    "migrations/vetting.py": ("SAFE_LOCALLY", "migrations/target.py"),
    "review/broken.py": ("ours(connection)", "review/broken.py"),
    "review/locks.py": ("ours(self.connection)", "review/locks.py"),
    "review/sample_rows.py": ("ours(self._connection)", "review/sample_rows.py"),
}
_BEGINS = re.compile(
    r"\s*(/\*.*?\*/\s*)?(select|with|insert into|update|delete from|values)\s", re.I
)


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of a module; what is put into one stands there as a name."""
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    for text in joined:
        parts = (part.value if isinstance(part, ast.Constant) else "x1" for part in text.values)
        yield "".join(map(str, parts))
    inner = {id(part) for text in joined for part in text.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in inner and isinstance(node.value, str):
            yield node.value


def _unqualified(node: Any) -> Iterator[str]:
    """Yield what a parse tree leaves to the search path."""
    name = node.DESCRIPTOR.name
    if name == "FuncCall" and len(node.funcname) == 1:
        yield f"function {node.funcname[0].string.sval}"
    elif name == "A_Expr" and len(node.name) == 1:
        yield f"operator {node.name[0].string.sval}"
    elif name == "TypeName" and len(node.names) == 1:
        yield f"type {node.names[0].string.sval}"
    elif name == "RangeVar" and not node.schemaname and not node.relname.startswith(("_", "x1")):
        yield f"relation {node.relname}"
    for field, value in node.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from _unqualified(part)


def own_sql() -> Iterator[tuple[str, str, list[str]]]:
    """Yield module, text, and what the text leaves to the search path."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        if module.startswith(("todo/", "project/", "review/linting/rules/", "cli/")):
            continue  # generated; examples of what not to write
        for text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            if not _BEGINS.match(text):
                continue
            try:
                statements = parse(re.sub(r"%s|\{\w*\}", "x1", text))
            except GrammarError:
                continue  # prose, or a part of a text
            found = [what for one in statements for what in _unqualified(one.node)]
            yield module, text, found
    for folder in sorted({file.parent for file in PACKAGE.rglob("queries/*.sql")}):
        inside = folder.relative_to(PACKAGE)
        if inside.parts[0] == "project":
            continue  # the Todo project's
        room = ".".join((PACKAGE.name, *inside.parent.parts))
        for name, query in named_queries(room).items():
            for variant in variants(query):
                found = [what for one in parse(variant.sql) for what in _unqualified(one.node)]
                yield inside.as_posix(), f"{name}: {variant.sql}", found


def test_nothing_is_left_to_the_path_elsewhere() -> None:
    """A text that is not fully qualified stands in a module that runs it under our path."""
    seen = 0
    for module, text, found in own_sql():
        seen += 1
        assert not found or module in UNDER_OUR_PATH, f"{module} leaves {found} to the path: {text}"
    assert seen > 40


@pytest.mark.parametrize("module", UNDER_OUR_PATH)
def test_what_the_table_says_is_so(module: str) -> None:
    """The module that is named holds what sets the path."""
    how, where = UNDER_OUR_PATH[module]
    assert how in (PACKAGE / where).read_text(encoding="utf-8")


def test_queries_of_the_catalog_run_under_our_path() -> None:
    """The .sql files of the catalog have one door, and each way to it sets the path first."""
    text = (PACKAGE / "catalog" / "read.py").read_text(encoding="utf-8")
    assert text.count("SAFE_LOCALLY)") == 3
    functions = [f for f in ast.walk(ast.parse(text)) if isinstance(f, ast.FunctionDef)]
    doors = sorted(f.name for f in functions if "variant.sql" in ast.unparse(f))
    assert doors == ["many"]


@pytest.mark.parametrize("label", ["a*/ drop b", "a**//b", "/* a", "queries/*.sql:x", "a/**/b"])
def test_a_label_cannot_end_its_comment(label: str) -> None:
    """The comment that names a query begins and ends once, whatever its file is called."""
    text = comment(label)
    assert (text.count("/*"), text.count("*/")) == (1, 1)
    assert len(parse(f"{text}select 1")) == 1
